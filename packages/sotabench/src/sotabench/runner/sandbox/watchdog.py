"""Looks ten times a second at what a task uses, and says when it is too much."""

import os
import re
import stat
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from sotabench.runner.sandbox.plan import Ended, Limits
from sotabench.runner.sandbox.processes import Processes, nameless, resident, temporary, used

TICK = 0.1  # seconds
SHARE = 0.2  # of a tick that reading folders may take
REST = 10.0  # folders are read again after this many times what it took
MEMORY_LEFT, DISK_LEFT = 256 << 20, 256 << 20  # bytes of the machine under which tasks are stopped
_AVAILABLE = re.compile(r"^MemAvailable:\s+(\d+) kB", re.MULTILINE)

Verdict = tuple[Ended, str]


class Watchdog:
    """Holds one task to its limits; `check` is to be called every tick."""

    def __init__(self, limits: Limits, folders: Sequence[Path]) -> None:
        self.peak = 0
        self._limits = limits
        self._folders = folders
        self._started = time.monotonic()
        self._memory = Memory(limits)
        self._disk = Disk(limits, folders)

    def check(self, processes: Processes | None) -> Verdict | None:
        """Why the task must be stopped, if it must."""
        spent = time.monotonic() - self._started
        if spent > self._limits.seconds:
            return Ended.OUT_OF_TIME, f"stopped after {spent:.1f} s: its limit is {self._limits.seconds:g} s"
        if (left := memory_left()) < MEMORY_LEFT:
            return Ended.OUT_OF_MACHINE, f"stopped: the machine had {_size(left)} of memory left"
        for folder in self._folders:
            if (left := disk_left(folder)) < DISK_LEFT:
                return Ended.OUT_OF_MACHINE, f"stopped: the machine's disk had {_size(left)} left"
        if processes is None:
            return None
        verdict = self._memory.check(processes) or self._disk.check(processes)
        self.peak = self._memory.peak
        return verdict


class Memory:
    """An estimate at every tick; the exact sum, which is slow, where the estimate is above the limit."""

    def __init__(self, limits: Limits) -> None:
        self.peak = 0
        self._limit = limits.memory
        self._exact_at, self._exact_for = 0.0, 0
        self._open_at, self._open = 0.0, 0

    def check(self, processes: Processes) -> Verdict | None:
        """Look once."""
        now = time.monotonic()
        if now - self._open_at > 1:
            self._open = sum(size for size, in_memory in nameless(processes).values() if in_memory)
            self._open_at = now
        estimate = resident(processes) + temporary(processes) + self._open
        if estimate <= self._limit:
            self.peak = max(self.peak, estimate)
            return None
        if now - self._exact_at < 1 and estimate < self._exact_for * 1.05:
            return None
        exact = used(processes)
        self._exact_at, self._exact_for = time.monotonic(), estimate
        self.peak = max(self.peak, exact)
        if exact <= self._limit:
            return None
        return Ended.OUT_OF_MEMORY, f"stopped at {_size(exact)} of memory: its limit is {_size(self._limit)}"


class Disk:
    """Size and number of files, read a little at every tick so that nothing else waits for it."""

    def __init__(self, limits: Limits, folders: Sequence[Path]) -> None:
        self._limits, self._folders = limits, folders
        self._bytes = self._files = 0
        self._closed = ""
        self._walk = self._measure()
        self._next, self._spent = 0.0, 0.0

    def check(self, processes: Processes) -> Verdict | None:
        """Read on; what is too much half-way is too much."""
        started = time.monotonic()
        if started < self._next:
            return None
        finished = all(time.monotonic() - started < TICK * SHARE for _ in self._walk)
        held = sum(size for size, in_memory in nameless(processes).values() if not in_memory) if finished else 0
        verdict = self._verdict(self._bytes + held + temporary(processes))
        self._spent += time.monotonic() - started
        if finished:
            self._next = time.monotonic() + max(0.5, REST * self._spent)
            self._bytes = self._files = 0
            self._walk, self._spent = self._measure(), 0.0
        return verdict

    def _verdict(self, size: int) -> Verdict | None:
        if self._closed:
            return Ended.OUT_OF_DISK, f"stopped: what is in {self._closed!a} cannot be counted"
        if size > self._limits.disk:
            return Ended.OUT_OF_DISK, f"stopped at {_size(size)} of files: its limit is {_size(self._limits.disk)}"
        if self._files > self._limits.files:
            return Ended.TOO_MANY_FILES, f"stopped at {self._files:,} files: its limit is {self._limits.files:,}"
        return None

    def _measure(self) -> Iterator[None]:
        """Add up; a folder that vanishes meanwhile is none, one that cannot be read is said to be so."""
        linked: set[tuple[int, int]] = set()
        waiting = [str(folder) for folder in self._folders]
        while waiting:
            folder = waiting.pop()
            try:
                with os.scandir(folder) as entries:
                    for entry in entries:
                        facts = _facts(entry)
                        yield
                        if facts is None:
                            continue
                        self._files += 1
                        if facts.st_nlink == 1 or (facts.st_dev, facts.st_ino) not in linked:
                            self._bytes += facts.st_blocks * 512
                        if stat.S_ISDIR(facts.st_mode):
                            waiting.append(entry.path)
                        elif facts.st_nlink > 1:
                            linked.add((facts.st_dev, facts.st_ino))
            except (FileNotFoundError, NotADirectoryError):
                continue
            except OSError:
                self._closed = folder[-200:]


def _facts(entry: "os.DirEntry[str]") -> os.stat_result | None:
    try:
        return entry.stat(follow_symlinks=False)
    except FileNotFoundError:
        return None


def memory_left() -> int:
    """Bytes of memory that the machine can still give."""
    with open("/proc/meminfo", encoding="ascii") as file:
        found = _AVAILABLE.search(file.read())
    return int(found[1]) * 1024 if found else MEMORY_LEFT


def disk_left(folder: Path) -> int:
    """Bytes that the disk of a folder can still take."""
    facts = os.statvfs(folder)
    return facts.f_bavail * facts.f_frsize


def _size(count: int) -> str:
    return f"{count / (1 << 20):,.0f} MiB"
