"""The processes of a task, as seen from the machine, and the memory that they hold."""

import contextlib
import os
import re
import stat
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

_MAPPING = re.compile(rb"^[0-9a-f]+-[0-9a-f]+ \S+ [0-9a-f]+ ([0-9a-f]+):([0-9a-f]+) (\d+) *(.*)$")
_IN_MEMORY = (b"/memfd:", b"/dev/zero (deleted)", b"/SYSV")
_RESIDENT = re.compile(rb"^Rss(?:Anon|Shmem):\s+(\d+) kB", re.MULTILINE)
_OF_A_FILE = 1 << 10  # bytes of the kernel's own memory: inode and name

File = tuple[int, int]  # device and inode


class Processes(Protocol):
    """Where to look for them."""

    def folders(self) -> Iterator[str]:
        """A folder as /proc/1234 for each."""

    def temporary(self) -> Sequence[str]:
        """The folders in memory that were mounted for them, by paths that this program can open."""


@dataclass(frozen=True)
class Nameless:
    """A file that is open but in no folder; `in_memory` rather than on a disk."""

    file: File
    size: int
    in_memory: bool


@dataclass(frozen=True)
class Namespace:
    """The processes of a pid namespace, seen through its own /proc."""

    first: int  # its process 1, by its number on the machine
    mounted: Sequence[str]

    def folders(self) -> Iterator[str]:
        """As the sandbox's own /proc has it."""
        yield from _numbered(f"/proc/{self.first}/root/proc") if self._is_ready() else ()

    def temporary(self) -> Sequence[str]:
        """Through the root folder of process 1."""
        return [f"/proc/{self.first}/root{place}" for place in self.mounted] if self._is_ready() else ()

    def _is_ready(self) -> bool:
        """Whether process 1 has left the machine's root folder."""
        try:
            own, machine = os.stat(f"/proc/{self.first}/root"), os.stat("/")
        except OSError:
            return False
        return (own.st_dev, own.st_ino) != (machine.st_dev, machine.st_ino)


@dataclass(frozen=True)
class Descendants:
    """The processes that one process has started, and theirs."""

    ancestor: int

    def folders(self) -> Iterator[str]:
        """Those that are there now."""
        children: dict[int, list[str]] = {}
        for folder in _numbered("/proc"):
            children.setdefault(_parent(folder), []).append(folder)
        waiting = list(children.get(self.ancestor, ()))
        while waiting:
            folder = waiting.pop()
            yield folder
            waiting += children.get(int(folder.rpartition("/")[2]), ())

    def temporary(self) -> Sequence[str]:
        """None of their own."""
        return ()


def resident(processes: Processes) -> int:
    """Bytes of memory that are not files, cheap to ask for: what processes share counts once for each."""
    found = b"".join(_read(f"{folder}/status") for folder in processes.folders())
    return sum(int(kilobytes) * 1024 for kilobytes in _RESIDENT.findall(found))


class Used:
    """The same where what is shared counts once, and files in memory count whether mapped or only open.

    It is slow, for a process may have tens of thousands of mappings: `count` reads one of them at a time.
    """

    def __init__(self, opened: Mapping[File, int]) -> None:
        self._own, self._files = 0, dict(opened)

    def count(self, processes: Processes) -> Iterator[None]:
        """To be gone through to its end."""
        devices = _devices(processes)
        for folder in processes.folders():
            mapped: dict[File, int] = {}
            for file, in_memory, anonymous, proportional in _mappings(_lines(f"{folder}/smaps")):
                if in_memory and file[0] not in devices:
                    mapped[file] = mapped.get(file, 0) + proportional
                else:
                    self._own += proportional if file == (0, 0) else anonymous
                yield
            for file, size in mapped.items():
                self._files[file] = max(self._files.get(file, 0), size)

    @property
    def size(self) -> int:
        """Bytes, without those in the folders in memory."""
        return self._own + sum(self._files.values())


def temporary(processes: Processes) -> int:
    """Bytes in the folders in memory, with what the kernel keeps of each file there, be it empty."""
    return sum(map(_occupied, processes.temporary()))


def opened(processes: Processes) -> Iterator[Nameless | None]:
    """Of each descriptor the file, where it is a file in no folder."""
    devices = _devices(processes)
    for folder in processes.folders():
        with contextlib.suppress(OSError), _directory(f"{folder}/fd") as descriptor:
            for name in os.listdir(descriptor):
                yield _nameless(name, descriptor, devices)


def _nameless(name: str, folder: int, devices: Container[int]) -> Nameless | None:
    try:
        facts = os.stat(name, dir_fd=folder)
        if facts.st_nlink or not stat.S_ISREG(facts.st_mode) or facts.st_dev in devices:
            return None
        in_memory = os.readlink(name, dir_fd=folder).startswith("/memfd:")
    except OSError:
        return None
    return Nameless((facts.st_dev, facts.st_ino), facts.st_blocks * 512, in_memory)


@contextlib.contextmanager
def _directory(path: str) -> Iterator[int]:
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def threads_of(uid: int) -> int:
    """How many threads a user of the machine has."""
    count = 0
    for folder in _numbered("/proc"):
        try:
            if os.stat(folder).st_uid == uid:
                count += len(os.listdir(f"{folder}/task"))
        except OSError:
            continue
    return count


def _mappings(lines: Iterable[bytes]) -> Iterator[tuple[File, bool, int, int]]:
    """Of each mapping: the file, whether it is one in memory, the bytes of its own and its share of the others."""
    file, in_memory, anonymous, proportional = (0, 0), False, 0, 0
    for line in lines:
        if line.startswith(b"Pss:"):
            proportional = int(line.split()[1]) * 1024
        elif line.startswith(b"Anonymous:"):
            anonymous = int(line.split()[1]) * 1024
        elif not line[:1].isupper() and (match := _MAPPING.match(line.rstrip(b"\n"))):
            yield file, in_memory, anonymous, proportional
            file = (os.makedev(int(match[1], 16), int(match[2], 16)), int(match[3]))
            in_memory, anonymous, proportional = match[4].startswith(_IN_MEMORY), 0, 0
    yield file, in_memory, anonymous, proportional


def _devices(processes: Processes) -> set[int]:
    """Of the folders in memory; they end with the task, which may be now."""
    found = set()
    for place in processes.temporary():
        try:
            found.add(os.stat(place).st_dev)
        except OSError:
            continue
    return found


def _numbered(folder: str) -> list[str]:
    try:
        return [f"{folder}/{name}" for name in os.listdir(folder) if name.isdigit()]
    except OSError:
        return []


def _parent(folder: str) -> int:
    fields = _read(f"{folder}/stat").rpartition(b")")[2].split()
    return int(fields[1]) if fields else 0


def _read(path: str) -> bytes:
    try:
        with open(path, "rb") as file:
            return file.read()
    except OSError:
        return b""


def _lines(path: str) -> Iterator[bytes]:
    with contextlib.suppress(OSError), open(path, "rb") as file:
        yield from file


def _occupied(folder: str) -> int:
    try:
        facts = os.statvfs(folder)
    except OSError:
        return 0
    return (facts.f_blocks - facts.f_bfree) * facts.f_frsize + (facts.f_files - facts.f_ffree) * _OF_A_FILE
