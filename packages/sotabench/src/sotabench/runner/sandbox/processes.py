"""The processes of a task, as seen from the machine, and the memory that they hold."""

import os
import re
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

_MAPPING = re.compile(rb"^[0-9a-f]+-[0-9a-f]+ \S+ [0-9a-f]+ ([0-9a-f]+):([0-9a-f]+) (\d+) *(.*)$")
_IN_MEMORY = (b"/memfd:", b"/dev/zero (deleted)", b"/SYSV")
_RESIDENT = re.compile(rb"^Rss(?:Anon|Shmem):\s+(\d+) kB", re.MULTILINE)

File = tuple[int, int]  # device and inode


class Processes(Protocol):
    """Where to look for them."""

    def folders(self) -> Iterator[str]:
        """A folder as /proc/1234 for each."""

    def temporary(self) -> Sequence[str]:
        """The folders in memory that were mounted for them, by paths that this program can open."""


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


def used(processes: Processes) -> int:
    """The same where what is shared counts once, and files in memory count whether mapped or only open; slow."""
    devices = _devices(processes)
    own, files = 0, {file: size for file, (size, in_memory) in nameless(processes).items() if in_memory}
    for folder in processes.folders():
        mapped: dict[File, int] = {}
        for file, in_memory, anonymous, proportional in _mappings(_read(f"{folder}/smaps")):
            if in_memory and file[0] not in devices:
                mapped[file] = mapped.get(file, 0) + proportional
            else:
                own += proportional if file == (0, 0) else anonymous
        for file, size in mapped.items():
            files[file] = max(files.get(file, 0), size)
    return own + sum(files.values()) + temporary(processes)


def temporary(processes: Processes) -> int:
    """Bytes in the folders in memory."""
    return sum(map(_occupied, processes.temporary()))


def nameless(processes: Processes) -> dict[File, tuple[int, bool]]:
    """Files that are open but in no folder: their size, and whether they are in memory rather than on a disk."""
    devices = _devices(processes)
    found = {}
    for folder in processes.folders():
        for path in _numbered(f"{folder}/fd"):
            try:
                facts = os.stat(path)
                if facts.st_nlink == 0 and stat.S_ISREG(facts.st_mode) and facts.st_dev not in devices:
                    in_memory = os.readlink(path).startswith("/memfd:")
                    found[facts.st_dev, facts.st_ino] = (facts.st_blocks * 512, in_memory)
            except OSError:
                continue
    return found


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


def _mappings(text: bytes) -> Iterator[tuple[File, bool, int, int]]:
    """Of each mapping: the file, whether it is one in memory, the bytes of its own and its share of the others."""
    file, in_memory, anonymous, proportional = (0, 0), False, 0, 0
    for line in text.splitlines():
        if match := _MAPPING.match(line):
            yield file, in_memory, anonymous, proportional
            file = (os.makedev(int(match[1], 16), int(match[2], 16)), int(match[3]))
            in_memory, anonymous, proportional = match[4].startswith(_IN_MEMORY), 0, 0
        elif line.startswith(b"Pss:"):
            proportional = int(line.split()[1]) * 1024
        elif line.startswith(b"Anonymous:"):
            anonymous = int(line.split()[1]) * 1024
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


def _occupied(folder: str) -> int:
    try:
        facts = os.statvfs(folder)
    except OSError:
        return 0
    return (facts.f_blocks - facts.f_bfree) * facts.f_frsize
