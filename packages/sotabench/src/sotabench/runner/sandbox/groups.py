"""The kernel's own limits for a task, where this program has been given a part of the tree of control groups.

systemd does so for a unit with `Delegate=yes`, and marks the part that it gave away; without the mark nothing is
touched, and the watchdog alone holds the limits. It goes on looking where there is a group: both say the same.
"""

import contextlib
import functools
import itertools
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from sotabench.runner.sandbox.plan import Limits

TREE = Path("/sys/fs/cgroup")
_MARKS = ("user.delegate", "trusted.delegate")
_NEEDED = ("memory", "pids")
_numbers = itertools.count()


@dataclass(frozen=True)
class Group:
    """One task's group."""

    folder: Path

    @property
    def entrance(self) -> str:
        """The file that takes the number of a process."""
        return str(self.folder / "cgroup.procs")

    def ran_out(self) -> bool:
        """Whether the kernel killed the task for want of memory."""
        with contextlib.suppress(OSError):
            events = dict(line.split() for line in (self.folder / "memory.events").read_text().splitlines())
            return int(events.get("oom_kill", 0)) > 0
        return False


@dataclass(frozen=True)
class Groups:
    """A part of the tree in which tasks get their groups."""

    folder: Path

    def prepare(self) -> None:
        """Move what runs there into a group of its own: a group with groups below it may hold no processes."""
        own = self.folder / "runner"
        own.mkdir(exist_ok=True)
        for number in (self.folder / "cgroup.procs").read_text().split():
            with contextlib.suppress(ProcessLookupError):
                (own / "cgroup.procs").write_text(number)
        (self.folder / "cgroup.subtree_control").write_text(" ".join(f"+{name}" for name in _NEEDED))

    @contextlib.contextmanager
    def group(self, limits: Limits, *, processes: int) -> Iterator[Group]:
        """A group for one task."""
        group = Group(self.folder / f"task-{os.getpid()}-{next(_numbers)}")
        group.folder.mkdir()
        try:
            values = {"memory.max": limits.memory, "memory.swap.max": 0, "memory.oom.group": 1, "pids.max": processes}
            for name, value in values.items():
                with contextlib.suppress(FileNotFoundError):  # without swap there is nothing to bound
                    (group.folder / name).write_text(str(value))
            yield group
        finally:
            _remove(group.folder)


@functools.cache
def find_groups() -> Groups | None:
    """The part of the tree that this program was given, if any."""
    folder = _own_folder()
    if folder is None or not _is_given(folder):
        return None
    try:
        controllers = (folder / "cgroup.controllers").read_text().split()
        if not set(_NEEDED) <= set(controllers):
            return None
        groups = Groups(folder)
        groups.prepare()
    except OSError:
        return None
    return groups


def _own_folder() -> Path | None:
    for line in Path("/proc/self/cgroup").read_text(encoding="utf-8").splitlines():
        if line.startswith("0::/"):
            return TREE / line.removeprefix("0::/")
    return None


def _is_given(folder: Path) -> bool:
    for mark in _MARKS:
        with contextlib.suppress(OSError):
            if os.getxattr(folder, mark) == b"1":
                return True
    return False


def _remove(folder: Path) -> None:
    """What was killed leaves a group a moment later."""
    for _ in range(50):
        try:
            folder.rmdir()
        except FileNotFoundError:
            return
        except OSError:
            time.sleep(0.02)
        else:
            return
