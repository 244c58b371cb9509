"""Looks ten times a second at what a task uses, and says when it is too much.

A stranger decides how much there is to look through, so nothing is read to its end in one go: time, a request to stop
and the machine's own memory and disk are looked at ten times a second whatever the task does.
"""

import os
import re
import stat
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from sotabench.runner.sandbox.plan import Ended, Limits
from sotabench.runner.sandbox.processes import File, Nameless, Processes, Used, opened, resident, temporary

TICK = 0.1  # seconds
SHARE = 0.2  # of a tick that reading folders may take, and reading descriptors
REST = 10.0  # folders are read again after this many times what it took
COUNTING = 0.5  # of a tick that counting memory may take
LONGEST_COUNT = 20.0  # seconds
MOST_OPEN = 100_000  # descriptors of all processes together: more are not looked through in time
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
        self._open = OpenFiles()
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
        verdict = (
            self._open.check(processes)
            or self._memory.check(processes, self._open.sizes(in_memory=True))
            or self._disk.check(processes, sum(self._open.sizes(in_memory=False).values()))
        )
        self.peak = self._memory.peak
        return verdict


class OpenFiles:
    """Files that are open but in no folder, read a little at every tick."""

    def __init__(self) -> None:
        self._walk: Iterator[Nameless | None] | None = None
        self._found: dict[File, Nameless] = {}
        self._last: dict[File, Nameless] = {}
        self._count, self._next = 0, 0.0

    def check(self, processes: Processes) -> Verdict | None:
        """Read on."""
        began = time.monotonic()
        if began < self._next:
            return None
        if self._walk is None:
            self._walk, self._found, self._count = opened(processes), {}, 0
        for one in self._walk:
            self._count += 1
            if one:
                self._found[one.file] = one
            if time.monotonic() - began > TICK * SHARE:
                break
        else:
            self._walk, self._last = None, self._found
            self._next = time.monotonic() + REST * TICK * SHARE
        if self._count > MOST_OPEN:
            return Ended.TOO_MANY_OPEN, f"stopped at {self._count:,} open files: its limit is {MOST_OPEN:,}"
        return None

    def sizes(self, *, in_memory: bool) -> dict[File, int]:
        """Bytes of each, as they were seen last; what is more half-way is more."""
        last, found = (
            {file: one.size for file, one in seen.items() if one.in_memory is in_memory}
            for seen in (self._last, self._found)
        )
        return max(last, found, key=lambda sizes: sum(sizes.values()))


class Memory:
    """An estimate at every tick; the exact sum, which is slow, where the estimate is above the limit."""

    def __init__(self, limits: Limits, longest: float = LONGEST_COUNT) -> None:
        self.peak = 0
        self._limit, self._longest = limits.memory, longest
        self._used = Used({})
        self._count: Iterator[None] | None = None
        self._began = 0.0
        self._exact_at, self._exact_for = 0.0, 0

    def check(self, processes: Processes, opened: dict[File, int]) -> Verdict | None:
        """Look once; `opened` are the files in memory that are open."""
        now = time.monotonic()
        estimate = resident(processes) + temporary(processes) + sum(opened.values())
        if estimate <= self._limit:
            self.peak, self._count = max(self.peak, estimate), None
            return None
        if self._count is None:
            if now - self._exact_at < 1 and estimate < self._exact_for * 1.05:
                return None
            self._used, self._began, self._exact_for = Used(opened), now, estimate
            self._count = self._used.count(processes)
        if any(time.monotonic() - now > TICK * COUNTING for _ in self._count):
            return self._verdict_so_far()
        self._count, self._exact_at = None, time.monotonic()
        return self._verdict(self._used.size + temporary(processes))

    def _verdict_so_far(self) -> Verdict | None:
        """What is too much half-way is too much, and so is what cannot be counted in time."""
        if self._used.size > self._limit:
            return self._verdict(self._used.size)
        if time.monotonic() - self._began < self._longest:
            return None
        return Ended.OUT_OF_MEMORY, f"stopped: its memory could not be counted in {self._longest:g} s"

    def _verdict(self, exact: int) -> Verdict | None:
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

    def check(self, processes: Processes, held: int) -> Verdict | None:
        """Read on; what is too much half-way is too much. `held` are bytes of files in no folder."""
        started = time.monotonic()
        if started < self._next:
            return None
        finished = all(time.monotonic() - started < TICK * SHARE for _ in self._walk)
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
