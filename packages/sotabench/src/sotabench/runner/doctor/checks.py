"""The checks of one slot, each by running something in its sandbox."""

import contextlib
import json
import os
import shutil
import socket
import tempfile
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from benchrecord import printable
from sotabench.errors import Broken, SotabenchError
from sotabench.runner.doctor import probes
from sotabench.runner.doctor.remedies import in_container, remedy
from sotabench.runner.egress import Egress, Rules
from sotabench.runner.sandbox import (
    Bubblewrap,
    Ended,
    Limits,
    Mount,
    Outcome,
    Slot,
    Task,
    find_groups,
    interpreter_mounts,
    own,
)
from sotabench.runner.sandbox.interpreter import own_interpreter
from sotabench.runner.sandbox.watchdog import memory_left

FORBIDDEN = "forbidden.invalid:443"
FOLDER = "/probe"
_SMALL = Limits(seconds=60, memory=1 << 30, disk=1 << 30, files=10_000, processes=64, file_size=1 << 26)
_TENSOR_SECONDS = 300.0
_MEMORY = 200 << 20
_PACKAGES = "install torch, torchvision and torchbench there, or name where they are by SOTABENCH_BASE_PYTHON"
_WITHOUT_GROUPS = "by a watchdog (by the kernel too, where systemd starts the runner with Delegate=yes)"


@dataclass(frozen=True)
class Check:
    """One thing that was tried; `found` says what came of it, `mend` what to do where that is known."""

    name: str
    is_well: bool
    found: str
    mend: str = ""


@dataclass(frozen=True)
class Machine:
    """What a runner is set to: all that the doctor looks at."""

    folder: Path  # of the runner's builds
    limits: Limits  # of an evaluation
    slots: int
    python: Path | None = None  # an interpreter that has torch
    mounts: Sequence[Mount] = ()  # what it needs, beside its own prefixes
    trouble: str = ""  # why nothing can be built with it
    data: Path | None = None
    devices: Sequence[Path] = ()
    rules: Rules = field(default_factory=Rules)  # what stages may reach


def examine(slot: Slot, machine: Machine) -> list[Check]:
    """All checks of a slot. None is made in a sandbox that does not start."""
    with _patient(slot, machine) as patient:
        starts = _starts(patient)
        checks = [starts]
        if starts.is_well:
            for kind in (_isolation, _uid, _processes, _memory, _network, _tensor, _devices, _data):
                checks += _tried(kind, patient)
        return [*checks, _disk(machine), _room(machine)]


def fit_slots(slots: Iterable[Slot], folder: Path) -> tuple[list[int], str]:
    """The numbers of the slots whose sandbox starts and isolates, and what is wrong with the others; in a moment."""
    machine = Machine(folder=folder, limits=_SMALL, slots=1)
    fit, troubles = [], []
    for slot in slots:
        with _patient(slot, machine) as patient:
            checks = [_starts(patient)]
            if checks[0].is_well:
                checks += [*_tried(_isolation, patient), *_tried(_uid, patient)]
        wrong = [check for check in checks if not check.is_well]
        if not wrong:
            fit.append(slot.number)
        troubles += [f"slot {slot.number}: {check.name}: {check.found}" for check in wrong]
    return fit, "\n".join(troubles)


@contextlib.contextmanager
def _patient(slot: Slot, machine: Machine) -> Iterator["_Patient"]:
    with tempfile.TemporaryDirectory(prefix="sotabench-") as folder:
        own(Path(folder), slot)
        yield _Patient(slot, machine, Path(folder))


@dataclass(frozen=True)
class _Patient:
    """A slot with a folder of its own."""

    slot: Slot
    machine: Machine
    folder: Path

    def run(self, command: Sequence[str], limits: Limits = _SMALL, **changes: Any) -> tuple[Outcome, str]:
        """The outcome and what was printed."""
        printed = bytearray()
        arguments = {"environment": {}, "mounts": (), **changes}
        arguments["mounts"] = [Mount(self.folder, FOLDER, writable=True), *arguments["mounts"]]
        task = Task(command=command, folder=FOLDER, limits=limits, **arguments)
        outcome = Bubblewrap(self.slot).run(task, output=printed.extend, stop=threading.Event())
        return outcome, printed.decode(errors="replace")

    def ask(self, probe: str, *arguments: str, python: Path | None = None, **changes: Any) -> Any:
        """What a probe printed. Raises Broken when it printed nothing that can be read."""
        interpreter = python or own_interpreter()
        mounts = list(dict.fromkeys((*interpreter_mounts(interpreter), *changes.pop("mounts", ()))))
        outcome, printed = self.run([str(interpreter), "-c", probe, *arguments], mounts=mounts, **changes)
        try:
            return json.loads(printed.strip().splitlines()[-1])
        except (IndexError, ValueError) as error:
            last = printable(printed.strip().rpartition("\n")[2], 300)
            raise Broken(f"{outcome.reason}; it printed: {last or 'nothing'}") from error


def _tried(kind: Callable[[_Patient], Sequence[Check]], patient: _Patient) -> Sequence[Check]:
    try:
        return kind(patient)
    except (SotabenchError, OSError) as error:
        return [Check(kind.__name__.strip("_"), is_well=False, found=str(error))]


def _starts(patient: _Patient) -> Check:
    try:
        outcome, printed = patient.run(["true"])
    except (SotabenchError, OSError) as error:
        mend = remedy(str(error), is_container=in_container())
        return Check("bubblewrap", is_well=False, found=str(error), mend=mend)
    if not outcome.well:
        return Check("bubblewrap", is_well=False, found=f"{outcome.reason}; {printable(printed, 300)}")
    return Check("bubblewrap", is_well=True, found="starts in namespaces of its own")


def _isolation(patient: _Patient) -> Sequence[Check]:
    with socket.create_server(("127.0.0.1", 0)) as service:
        port = str(service.getsockname()[1])
        found = patient.ask(probes.ISOLATION, environment={"PROBE_PORT": port})
    reached = [name for name in ("namespace", "loopback", "files") if found[name]]
    return [
        Check("seccomp", is_well=found["filter"] == 2 and not found["namespace"], found=f"mode {found['filter']}"),
        Check(
            "isolation",
            is_well=not reached and not found["capabilities"] and found["processes"] < 8,
            found=f"reached {reached}" if reached else f"{found['processes']} processes seen, no capabilities",
        ),
    ]


def _uid(patient: _Patient) -> Sequence[Check]:
    uid = (patient.folder / "mine").lstat().st_uid
    if os.geteuid() != 0:
        remark = f"slots share uid {uid}, for the runner is not root; their processes are apart all the same"
        return [Check("uid", is_well=uid == os.geteuid(), found=remark)]
    return [Check("uid", is_well=uid == patient.slot.uid != 0, found=f"tasks run as {uid}")]


def _processes(patient: _Patient) -> Sequence[Check]:
    stopped_at = patient.ask(probes.FORK_BOMB)["stopped_at"]
    is_well = stopped_at is not None
    return [Check("processes", is_well=is_well, found=f"a fork bomb was stopped at {stopped_at} processes")]


def _memory(patient: _Patient) -> Sequence[Check]:
    python = own_interpreter()
    outcome, _ = patient.run(
        [str(python), "-c", probes.SPREAD_MEMORY],
        replace(_SMALL, memory=_MEMORY, seconds=30),
        mounts=interpreter_mounts(python),
    )
    held_by = "by the kernel and a watchdog" if find_groups() else _WITHOUT_GROUPS
    found = f"{outcome.reason}; held {held_by}"
    return [Check("memory", is_well=outcome.ended is Ended.OUT_OF_MEMORY, found=found)]


def _network(patient: _Patient) -> Sequence[Check]:
    """A forbidden host must be refused; an allowed one that is not reached is told, for the site may be offline."""
    rules = patient.machine.rules
    named = sorted(rule for rule in (*rules.hosts, *rules.internal) if not rule.startswith("*"))
    with Egress(rules, slot=patient.slot) as egress:
        answers = patient.ask(probes.PROXY, FORBIDDEN, *named, network=egress.socket)
    refused = answers.pop(FORBIDDEN)
    checks = [Check("proxy", is_well=refused.startswith("403"), found=f"a host that is not listed: {refused}")]
    reached = {target: answer.startswith("200") for target, answer in answers.items()}
    for remark, is_reached in (("reached", True), ("not reached from here", False)):
        hosts = [target.removesuffix(":443") for target in reached if reached[target] is is_reached]
        if hosts:
            checks.append(Check("hosts", is_well=True, found=f"{remark}: {', '.join(hosts)}"))
    return checks


def _tensor(patient: _Patient) -> Sequence[Check]:
    machine = patient.machine
    if machine.trouble:
        return [Check("packages", is_well=False, found=machine.trouble, mend=_PACKAGES)]
    if machine.python is None:
        return []
    found = patient.ask(
        probes.TENSOR,
        python=machine.python,
        mounts=machine.mounts,
        limits=replace(machine.limits, seconds=_TENSOR_SECONDS),
        devices=machine.devices,
    )
    is_right = found["sum"] == 64.0**3 and not (machine.devices and found["device"] == "cpu")
    mend = "" if is_right else "the device nodes of the driver are missing from SOTABENCH_RUNNER_DEVICES, or not usable"
    return [Check("tensor", is_well=is_right, found=f"torch {found['torch']} on {found['device']}", mend=mend)]


def _devices(patient: _Patient) -> Sequence[Check]:
    devices = patient.machine.devices
    missing = {
        str(node): "is no device" if node.exists() else "is not there" for node in devices if not node.is_char_device()
    }
    there = [node for node in devices if str(node) not in missing]
    closed = {**missing, **(patient.ask(probes.DEVICES, *map(str, there), devices=there) if there else {})}
    return [
        Check(
            f"device {node}",
            is_well=str(node) not in closed,
            found=closed.get(str(node), "can be opened inside"),
            mend=f"sudo chmod a+rw {node}" if closed.get(str(node), "").startswith("Permission") else "",
        )
        for node in devices
    ]


def _data(patient: _Patient) -> Sequence[Check]:
    """The copies of data sets, which is all that builds see of the site's data: the folder itself may be closed."""
    data = patient.machine.data
    if data is None:
        return []
    if not data.is_dir():
        return [Check("data", is_well=False, found=f"{data} is no folder", mend="set SOTABENCH_RUNNER_DATA")]
    copies = data / "copies"
    if not copies.is_dir():
        return [Check("data", is_well=True, found=f"{copies} is not there: `sotabench datasets add` makes it")]
    found = patient.ask(probes.DATA, "/data", mounts=[Mount(copies, "/data")])
    remark = "can be read and not written" if found["file"] else "is empty so far"
    return [Check("data", is_well=not found["writable"], found=f"{copies} {remark}")]


def _disk(machine: Machine) -> Check:
    there = next(folder for folder in (machine.folder, *machine.folder.parents) if folder.is_dir())
    free, wanted = shutil.disk_usage(there).free, machine.limits.disk * machine.slots
    mend = "" if free >= wanted else "make room, or set SOTABENCH_RUNNER_DISK or SOTABENCH_RUNNER_FOLDER"
    return Check("disk", is_well=free >= wanted, found=f"{_gb(free)} free, {_gb(wanted)} may be written", mend=mend)


def _room(machine: Machine) -> Check:
    left, wanted = memory_left(), machine.limits.memory * machine.slots
    mend = "" if left >= wanted else "set SOTABENCH_RUNNER_MEMORY or SOTABENCH_RUNNER_SLOTS to less"
    found = f"{_gb(left)} free, {_gb(wanted)} may be used"
    return Check("machine's memory", is_well=left >= wanted, found=found, mend=mend)


def _gb(count: int) -> str:
    return f"{count / 1e9:.1f} GB"
