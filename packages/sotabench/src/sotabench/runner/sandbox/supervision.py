"""The runner's side of a task: starts the supervisor, passes on what is printed, watches, ends it."""

import contextlib
import json
import os
import select
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from sotabench.runner.sandbox.groups import Group, find_groups
from sotabench.runner.sandbox.interpreter import own_interpreter
from sotabench.runner.sandbox.plan import Ended, Slot, Task
from sotabench.runner.sandbox.processes import Processes
from sotabench.runner.sandbox.watchdog import TICK, Verdict, Watchdog

SUPERVISOR = Path(__file__).with_name("supervisor.py")
BLOCK = 1 << 16
_SYS_ADMIN = 21

Facts = Mapping[str, Any]


@dataclass(frozen=True)
class Start:
    """What the supervisor is told."""

    task: Task
    slot: Slot
    command: Callable[[int], Sequence[str]]  # given the descriptor on which it may report
    environment: Mapping[str, str]
    folder: str
    limits: Mapping[str, int]
    processes: Callable[[Facts], Processes | None]  # of the task, from what is known of it; None before it runs
    keep: Sequence[int] = ()  # descriptors that the command inherits
    stage: str = ""  # folder in which the sources of the mounts are bound first, or nothing

    def plan(self, status: int, group: Group | None) -> bytes:
        """The line of JSON that it reads."""
        sources = [str(mount.source) for mount in self.task.mounts]
        root = os.geteuid() == 0
        plan = {
            "answer": status,
            "command": list(self.command(status)),
            "environment": dict(self.environment),
            "folder": self.folder,
            "group": group.entrance if group else "",
            "keep": [status, *self.keep],
            "limits": dict(self.limits),
            "reachable": [] if self.stage else sources,
            "sources": sources,
            "stage": self.stage,
            "uid": self.slot.uid if root else None,
            "gid": self.slot.gid if root else None,
        }
        return json.dumps(plan).encode() + b"\n"


@dataclass
class Report:
    """What came of it."""

    cause: Verdict | None = None  # why it was stopped, when it was
    facts: dict[str, Any] = field(default_factory=dict)  # what supervisor and bubblewrap said
    seconds: float = 0.0
    peak: int = 0


def supervise(start: Start, *, output: Callable[[bytes], None], stop: threading.Event) -> Report:
    """Run it to its end; an error of `output` stops it, and is passed on."""
    began = time.monotonic()
    groups = find_groups()
    with contextlib.ExitStack() as stack:
        group = None
        if groups:
            group = stack.enter_context(groups.group(start.task.limits, processes=start.limits["RLIMIT_NPROC"]))
        report = _follow(start, group, output=output, stop=stop)
        if group and report.cause is None and group.ran_out():
            report.cause = Ended.OUT_OF_MEMORY, f"stopped by the kernel: its limit is {start.task.limits.memory} bytes"
    report.seconds = time.monotonic() - began
    return report


def _follow(start: Start, group: Group | None, *, output: Callable[[bytes], None], stop: threading.Event) -> Report:
    with ThreadPoolExecutor(1, thread_name_prefix="watchdog") as pool:
        launched = _launch(start, group)
        watch = _Watch(start, stop, launched)
        try:
            watching = pool.submit(watch.follow)
            try:
                while block := os.read(launched.printed, BLOCK):
                    output(block)
            finally:
                watch.end()
            watching.result()
        finally:
            os.close(launched.printed)
            launched.process.wait()
    return watch.report


def may_mount() -> bool:
    """Whether this program is root and may make mounts: in a container it may be root and not."""
    if os.geteuid() != 0:
        return False
    facts = Path("/proc/self/status").read_text(encoding="ascii")
    capabilities = next(line.split()[1] for line in facts.splitlines() if line.startswith("CapEff"))
    return bool(int(capabilities, 16) >> _SYS_ADMIN & 1)


@dataclass(frozen=True)
class Launched:
    """A supervisor at work."""

    answers: IO[bytes]
    printed: int  # descriptor of what it and the task print
    process: "subprocess.Popen[bytes]"
    control: IO[bytes]  # closing it ends the task


def _launch(start: Start, group: Group | None) -> Launched:
    answers, status = os.pipe()
    printed, printing = os.pipe()
    try:
        line = start.plan(status, group)
        process = subprocess.Popen(  # noqa: S603 - our own program; the task is what it is told through its input
            [own_interpreter(), "-I", "-S", "-B", str(SUPERVISOR)],
            stdin=subprocess.PIPE,
            stdout=printing,
            stderr=printing,
            pass_fds=[status, *start.keep],
            cwd="/",
            env={"PATH": os.environ.get("PATH", os.defpath)},
            start_new_session=True,
            bufsize=0,
        )
    except BaseException:
        os.close(answers)
        os.close(printed)
        raise
    finally:
        os.close(status)
        os.close(printing)
    control = process.stdin
    if control is None:
        raise ValueError("expected the supervisor to have a standard input")
    with contextlib.suppress(BrokenPipeError):  # it is gone already; that it said nothing tells
        control.write(line)
    return Launched(os.fdopen(answers, "rb", 0), printed, process, control)


class _Watch:
    """Reads what supervisor and bubblewrap report, and ends the task when it must."""

    def __init__(self, start: Start, stop: threading.Event, launched: Launched) -> None:
        self.report = Report(facts={"supervisor": launched.process.pid})
        self._start, self._stop = start, stop
        self._answers, self._control = launched.answers, launched.control
        self._dog = Watchdog(start.task.limits, [mount.source for mount in start.task.mounts if mount.writable])
        self._ending = threading.Event()
        self._pending = b""

    def end(self) -> None:
        """Have the task killed, if it still runs."""
        self._ending.set()

    def follow(self) -> None:
        """Until nobody is left who could report."""
        with self._answers, self._control:
            while True:
                if select.select([self._answers], [], [], TICK)[0]:
                    block = self._answers.read(BLOCK)
                    if not block:
                        return
                    self._note(block)
                elif self.report.cause is None and (cause := self._look()):
                    self.report.cause = cause
                    self._control.close()

    def _look(self) -> Verdict | None:
        if self._stop.is_set() or self._ending.is_set():
            return Ended.STOPPED, "stopped on request"
        cause = self._dog.check(self._start.processes(self.report.facts))
        self.report.peak = self._dog.peak
        return cause

    def _note(self, block: bytes) -> None:
        *lines, self._pending = (self._pending + block).split(b"\n")
        for line in filter(None, lines):
            self.report.facts.update(json.loads(line))
