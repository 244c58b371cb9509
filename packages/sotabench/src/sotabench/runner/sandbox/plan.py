"""What is to be run, with what, and how it ended."""

import signal
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Protocol

GIGABYTE = 10**9


@dataclass(frozen=True)
class Limits:
    """What one task may use; every number is for all its processes together."""

    seconds: float
    memory: int  # bytes, files in /tmp, /dev/shm and the home folder included
    disk: int  # bytes in the writable folders, what was there before included
    files: int  # files and folders in the writable folders
    processes: int  # threads count as processes, as the kernel has it
    file_size: int  # bytes of one file


@dataclass(frozen=True)
class Mount:
    """A folder or file of the machine, seen inside at `target`.

    Where both are the same path, `Trusted` runs the task unchanged.
    """

    source: Path
    target: str
    writable: bool = False


@dataclass(frozen=True)
class Task:
    """One stage of a build."""

    command: Sequence[str]
    folder: str  # the working directory, as seen inside
    mounts: Sequence[Mount]
    environment: Mapping[str, str]  # all that the command gets, beside HOME, PATH and LANG
    limits: Limits
    network: Path | None = None  # the egress proxy's unix socket; None is no network at all
    devices: Sequence[Path] = ()  # nodes of accelerators, as /dev/nvidia0


@dataclass(frozen=True)
class Slot:
    """A place in which one task runs at a time; only a runner that is root can give each its own uid."""

    number: int
    uid: int
    gid: int


class Ended(Enum):
    """Why a task is over."""

    EXITED = "exited"
    KILLED = "killed"
    OUT_OF_TIME = "out of time"
    OUT_OF_MEMORY = "out of memory"
    OUT_OF_DISK = "out of disk"
    TOO_MANY_FILES = "too many files"
    TOO_MANY_OPEN = "too many open files"
    OUT_OF_MACHINE = "the machine's own memory or disk ran out"  # raised as Broken, never an outcome
    STOPPED = "stopped"


@dataclass(frozen=True)
class Outcome:
    """How a task ended."""

    code: int | None  # of the command; None when it was killed
    ended: Ended
    seconds: float
    peak_memory: int  # bytes, the highest of what the watchdog saw
    reason: str  # a sentence for the log

    @property
    def well(self) -> bool:
        """Whether the command ended by itself, with the code 0."""
        return self.ended is Ended.EXITED and self.code == 0


class Sandbox(Protocol):
    """Runs one task at a time."""

    def run(self, task: Task, *, output: Callable[[bytes], None], stop: threading.Event) -> Outcome:
        """Run it to its end, or until `stop` is set; `output` is given what it prints, as it comes.

        Raises Broken when the task could not be started, or had to be stopped within its limits because the machine has
        less than they allow: that is never the repository's fault.
        """


def verdict(code: int) -> tuple[Ended, int | None, str]:
    """What an exit code says, where codes over 128 are signals, as shells have it."""
    number = code - 128
    if number not in {known.value for known in signal.Signals}:
        return Ended.EXITED, code, f"ended with exit code {code}"
    hint = ": a file grew over the limit for one file" if number == signal.SIGXFSZ else ""
    return Ended.KILLED, None, f"ended by {signal.Signals(number).name}{hint} (or with exit code {code})"
