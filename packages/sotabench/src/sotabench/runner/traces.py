"""What a stranger's process leaves in a folder: which files it changed, and what is in them.

A file is known by its place on the disk and the time at which the kernel last saw it changed. That time, unlike the one
of its content, cannot be set by whoever writes the file.
"""

import hashlib
import itertools
import json
import os
import stat
import threading
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from sotabench.errors import Failed
from sotabench.runner.kept import TooMuchLeft
from sotabench.runner.sandbox import entries_below

LONGEST_LINE = 4000
"""Characters: a record's text may be longer, but a path with all of it escaped is longer still."""

_BLOCK = 1 << 20
_MOST_LISTED = 48 << 10
"""Bytes of JSON: a record holds several lists, and a site takes half a megabyte of it."""
"""Bytes of JSON of one list; the site takes eight times as many for all that a build depends on."""

State = tuple[int, int, int]


def state(facts: os.stat_result) -> State:
    """What differs once a file was changed or replaced."""
    return facts.st_ino, facts.st_size, facts.st_ctime_ns


def states(folder: Path) -> dict[str, State]:
    """Every file and link below the folder, by its path there."""
    return {name: state(facts) for name, _, facts in walk(folder)}


def walk(folder: Path) -> Iterator[tuple[str, Path, os.stat_result]]:
    """Every file and link below the folder, by its path there and in full, nothing else. Raises Failed."""
    for entry in entries_below(folder):
        facts = entry.stat(follow_symlinks=False)
        if stat.S_ISREG(facts.st_mode) or stat.S_ISLNK(facts.st_mode):
            path = Path(entry.path)
            yield str(path.relative_to(folder)), path, facts


class Reader:
    """Digests of what a stage left: every file is read once, whatever number of names it has, and not without end.

    `most` are the bytes that the stage could have written; a file may have more, of holes that took no room.
    """

    def __init__(self, most: int, stop: threading.Event) -> None:
        self._most, self._left, self._stop = most, most, stop
        self._known: dict[tuple[int, State], str] = {}

    def digest(self, path: Path, facts: os.stat_result) -> str:
        """SHA-256 of a file, or of what a link says.

        Raises TooMuchLeft when there is more to read than could be written, and Failed once the build is stopped.
        """
        if stat.S_ISLNK(facts.st_mode):
            return hashlib.sha256(b"link to " + os.fsencode(path.readlink())).hexdigest()
        file = facts.st_dev, state(facts)
        if file not in self._known:
            self._left -= facts.st_size
            if self._left < 0:
                raise TooMuchLeft(f"expected at most {self._most} bytes to be new, holes included, found more")
            self._known[file] = self._read(path)
        return self._known[file]

    def _read(self, path: Path) -> str:
        found = hashlib.sha256()
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        with os.fdopen(descriptor, "rb") as file:
            while block := file.read(_BLOCK):
                found.update(block)
                if self._stop.is_set():
                    raise Failed("stopped while what it fetched was measured")
        return found.hexdigest()


def line_of(digest: str, path: str) -> str:
    """Both on one line of a record; what is too long for one is cut, and ends in a digest of all of it."""
    line = f"{digest} {path}"
    if len(line) <= LONGEST_LINE:
        return line
    return f"{line[: LONGEST_LINE - 100]}... sha256 {hashlib.sha256(line.encode()).hexdigest()}"


def listed(lines: Iterable[str]) -> list[str]:
    """Sorted, and no more than a record may hold: of a longer list the beginning, and one digest of all of it."""
    found = sorted(lines)
    count = count_within(found, _MOST_LISTED)
    further = [f"... and {len(found) - count} more; sha256 of all {digest_of(found)}"] if count < len(found) else []
    return [*found[:count], *further]


def count_within(values: Iterable[Any], most: int) -> int:
    """How many of them, from the first on, have at most so many bytes as JSON."""
    sizes = itertools.accumulate(len(json.dumps(value)) + 2 for value in values)
    return sum(1 for _ in itertools.takewhile(lambda size: size <= most, sizes))


def digest_of(lines: Iterable[str]) -> str:
    """One digest for many lines, in whatever order; empty where there are none."""
    found = sorted(lines)
    return hashlib.sha256("\n".join(found).encode()).hexdigest() if found else ""
