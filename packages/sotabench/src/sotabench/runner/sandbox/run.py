"""Runs tasks: with isolation, or (the operator's explicit choice) without; both with limits."""

import contextlib
import os
import re
import signal
import tempfile
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from sotabench.errors import Broken
from sotabench.runner.sandbox import bubblewrap
from sotabench.runner.sandbox.folders import as_outside, clear_mount_points, linked, make_mount_points
from sotabench.runner.sandbox.interpreter import interpreter_mounts, own_interpreter
from sotabench.runner.sandbox.plan import Ended, Mount, Outcome, Slot, Task, verdict
from sotabench.runner.sandbox.processes import Descendants, Namespace, threads_of
from sotabench.runner.sandbox.seccomp import descriptor, program
from sotabench.runner.sandbox.supervision import Facts, Report, Start, may_mount, supervise

OPEN_FILES, LOCKED_MEMORY = 8192, 8 << 20
ADDRESSES = 16 << 30  # beside what memory takes: mapped files, and ranges that are reserved and never used
OWN_PROCESSES = 4  # bubblewrap's, and the bridge
STAGE = "/tmp"  # noqa: S108 - in a mount namespace of the supervisor's own, where a folder in memory covers it
_SAID = 2000
_NOT_A_PROGRAM = re.compile(rb"^bwrap: execvp (.*)$", re.MULTILINE)


@dataclass(frozen=True)
class Bubblewrap:
    """Isolated: own namespaces, a filter of system calls, no network but the proxy's socket, limits."""

    slot: Slot

    def run(self, task: Task, *, output: Callable[[bytes], None], stop: threading.Event) -> Outcome:
        """As `Sandbox.run`."""
        task = with_bridge(task)
        clear_mount_points(task.mounts)
        make_mount_points(task.mounts, self.slot)
        said = bytearray()

        def keep_beginning(block: bytes) -> None:
            said.extend(block[: _SAID - len(said)])
            output(block)

        stage = STAGE if may_mount() else ""
        with _open_descriptors(task, _staged(task.mounts, stage)) as (options, others):
            start = Start(
                task=task,
                slot=self.slot,
                command=lambda status: bubblewrap.command_line(task, options=options, status=status),
                environment={},
                folder="/",
                limits=resource_limits(task),
                processes=lambda facts: _namespace(facts, task),
                keep=[options, *others],
                stage=stage,
            )
            report = supervise(start, output=keep_beginning, stop=stop)
        return _outcome(report, report.facts.get("exit-code"), bytes(said))


@dataclass(frozen=True)
class Trusted:
    """Not isolated: the task may read, write and reach whatever its uid may; only the limits hold.

    Paths of the task's mounts are replaced by where they are on the machine; a mount inside of another one becomes a
    link.
    """

    slot: Slot

    def run(self, task: Task, *, output: Callable[[bytes], None], stop: threading.Event) -> Outcome:
        """As `Sandbox.run`."""
        clear_mount_points(task.mounts)
        with linked(task.mounts), tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as home:
            if os.geteuid() == 0:
                os.chown(home, self.slot.uid, self.slot.gid)
            outside = as_outside(task)
            start = Start(
                task=task,
                slot=self.slot,
                command=lambda _: outside.command,
                environment={"HOME": home, "PATH": bubblewrap.PATH, "LANG": "C.UTF-8", **outside.environment},
                folder=outside.folder,
                limits=resource_limits(task),
                processes=lambda facts: Descendants(facts["supervisor"]),
            )
            report = supervise(start, output=output, stop=stop)
        status = report.facts.get("status")
        code = None if status is None else os.waitstatus_to_exitcode(status)
        return _outcome(report, code if code is None or code >= 0 else 128 - code, b"")


def with_bridge(task: Task) -> Task:
    """The task with all that its network takes: the proxy's socket, the bridge to it, an interpreter for the bridge."""
    if task.network is None:
        return task
    further = [
        Mount(task.network, bubblewrap.SOCKET),
        Mount(Path(__file__).with_name("bridge.py"), bubblewrap.BRIDGE),
        *interpreter_mounts(own_interpreter()),
    ]
    there = {mount.target for mount in task.mounts}
    return replace(task, mounts=[*task.mounts, *(mount for mount in further if mount.target not in there)])


def resource_limits(task: Task) -> dict[str, int]:
    """The limits that the kernel holds, by their name in the module `resource`."""
    others = 0 if os.geteuid() == 0 else threads_of(os.geteuid())
    limits = {
        "RLIMIT_NPROC": task.limits.processes + OWN_PROCESSES + others,
        "RLIMIT_FSIZE": task.limits.file_size,
        "RLIMIT_NOFILE": OPEN_FILES,
        "RLIMIT_CORE": 0,
        "RLIMIT_MEMLOCK": LOCKED_MEMORY,
    }
    if not task.devices:  # an accelerator's driver reserves far more than it uses
        limits |= {"RLIMIT_DATA": 2 * task.limits.memory, "RLIMIT_AS": 2 * task.limits.memory + ADDRESSES}
    return limits


def _staged(mounts: Sequence[Mount], stage: str) -> list[Mount]:
    """The mounts, from where the supervisor has bound them."""
    if not stage:
        return list(mounts)
    return [replace(mount, source=Path(stage, str(number))) for number, mount in enumerate(mounts)]


@contextlib.contextmanager
def _open_descriptors(task: Task, mounts: Sequence[Mount]) -> Iterator[tuple[int, list[int]]]:
    """Files in memory that bubblewrap is to inherit: the one with its options, and those that the options name."""
    opened: list[int] = []

    def kept(content: bytes, name: str) -> int:
        opened.append(descriptor(content, name))
        return opened[-1]

    try:
        etc = {name: kept(text.encode(), name) for name, text in bubblewrap.OWN_IN_ETC.items()}
        named = bubblewrap.Descriptors(seccomp=kept(program(), "seccomp"), etc=etc)
        others = list(opened)
        yield kept(bubblewrap.options(task, mounts, named), "options"), others
    finally:
        for number in opened:
            os.close(number)


def _namespace(facts: Facts, task: Task) -> Namespace | None:
    if "child-pid" not in facts:
        return None
    return Namespace(facts["child-pid"], bubblewrap.temporary_folders(task))


def _outcome(report: Report, code: int | None, said: bytes) -> Outcome:
    if report.cause:
        ended, reason = report.cause
        if ended is Ended.OUT_OF_MACHINE:
            raise Broken(f"{reason}; `sotabench doctor` says how much the settings of this runner need")
        return Outcome(None, ended, report.seconds, report.peak, reason)
    if "broken" in report.facts:
        raise Broken(f"expected the task to start, found {report.facts['broken']}")
    if code is not None:
        ended, found, reason = verdict(code)
        return Outcome(found, ended, report.seconds, report.peak, reason)
    if os.WIFSIGNALED(report.facts.get("status", signal.SIGKILL)):
        reason = "its sandbox was killed from outside, as the kernel does when memory runs out"
        return Outcome(None, Ended.KILLED, report.seconds, report.peak, reason)
    if missing := _NOT_A_PROGRAM.search(said):
        reason = f"expected a program to start, found {missing[1].decode(errors='replace')!a}"
        return Outcome(127, Ended.EXITED, report.seconds, report.peak, reason)
    found_instead = said.decode(errors="replace").strip()
    raise Broken(f"expected bubblewrap to start, found {found_instead!a}; `sotabench doctor` says what to do")
