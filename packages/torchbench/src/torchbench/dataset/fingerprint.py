"""One pass over all image files: each is read, hashed and checked to be whole; unchanged ones are remembered."""

import hashlib
import os
import time
from collections.abc import Generator, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path

import numpy as np
from tqdm import tqdm

from torchbench.dataset.memory import Digests, Memory, Stats
from torchbench.dataset.wholeness import why_broken
from torchbench.errors import BrokenImage

CHUNK = 64  # files a task: so small that the bar moves, so large that handing out tasks costs nothing
SHOWN = 5
NO_FILE = (-1, -1, -1)


@dataclass(frozen=True)
class Checked:
    """Every file is a whole image. `digests` are the SHA-256 of each, `notes` are sentences for the user."""

    fingerprint: str
    digests: Digests = field(compare=False)  # the fingerprint stands for them
    notes: tuple[str, ...]


def check_files(
    folder: Path, files: Sequence[str], *, remember: Path | None, known_already: Memory | None = None
) -> Checked:
    """The fingerprint of `files` (names relative to `folder`), after every one was found to be a whole image.

    Files that have the size, time and inode they had when they were last read are not read again; what was read is
    remembered even when the check fails or is interrupted. Where `known_already` knows every file, nothing else is
    asked. Raises BrokenImage that names the files and the reasons.
    """
    before_ns = time.time_ns()
    stats = _stats(folder, files)
    if known_already is not None:
        digests, known = known_already.recall(files, stats)
        if known.all():
            return Checked(fingerprint_of(digests), digests, ())
    memory = Memory.of(folder, under=remember) if remember else None
    digests, known = memory.recall(files, stats) if memory else (np.zeros((len(files), 32), np.uint8), stats[:, 0] < -1)
    unread = np.flatnonzero(~known)
    broken: dict[str, str] = {}
    notes: tuple[str, ...] = ()
    if unread.size:
        try:
            with closing(_read_all(folder, files, unread.tolist())) as reads:
                for row, digest, reason in reads:
                    if reason:
                        broken[files[row]] = reason
                    else:
                        digests[row], known[row] = np.frombuffer(digest, np.uint8), True
        finally:
            rows = np.flatnonzero(known)
            notes = _remember(memory, [files[row] for row in rows.tolist()], stats[rows], digests[rows], before_ns)
    if broken:
        raise BrokenImage(_complaint(folder, broken, len(files)))
    return Checked(fingerprint_of(digests), digests, notes)


def fingerprint_of(digests: Digests | Iterable[bytes]) -> str:
    """SHA-256, hexadecimal, over the sorted SHA-256 digests of the contents, 32 bytes each, one after the other.

    Sorting makes it independent of names, layout and order; an image that is there twice counts twice.
    """
    each = [bytes(digest) for digest in digests]
    return hashlib.sha256(b"".join(sorted(each))).hexdigest()


def _stats(folder: Path, files: Sequence[str]) -> Stats:
    """Size, time and inode of every file, (N, 3)."""
    prefix = os.path.join(folder, "")  # noqa: PTH118 - text: one Path a file costs as much as the call to the system
    numbers = chain.from_iterable(_stat(prefix + file) for file in files)
    return np.fromiter(numbers, np.int64, count=3 * len(files)).reshape(-1, 3)


def _stat(path: str) -> tuple[int, int, int]:
    try:
        found = os.stat(path)  # noqa: PTH116 - as above
    except OSError:
        return NO_FILE
    return found.st_size, found.st_mtime_ns, found.st_ino & (2**63 - 1)


def _read_all(folder: Path, files: Sequence[str], rows: list[int]) -> Generator[tuple[int, bytes, str | None]]:
    """Row, SHA-256 and reason why it is broken (or None) of every file asked for, read in threads."""
    chunks = [rows[start : start + CHUNK] for start in range(0, len(rows), CHUNK)]
    workers = min(16, (os.cpu_count() or 1) + 4)  # hashing releases the GIL, and a network disk wants several readers
    bar = tqdm(total=len(rows), desc="checking images", unit="img", delay=1, mininterval=1)
    with bar, ThreadPoolExecutor(workers) as pool:
        try:
            for chunk, read in zip(
                chunks, pool.map(lambda c: [_read(folder, files[r]) for r in c], chunks), strict=True
            ):
                for row, (digest, reason) in zip(chunk, read, strict=True):
                    yield row, digest, reason
                bar.update(len(chunk))
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


def _read(folder: Path, file: str) -> tuple[bytes, str | None]:
    try:
        data = (folder / file).read_bytes()
    except FileNotFoundError:
        return b"", "a link that leads nowhere, or a file that has just vanished"
    except OSError as error:
        return b"", f"cannot be read ({error.strerror})"
    return hashlib.sha256(data).digest(), why_broken(data)


def _remember(
    memory: Memory | None, files: Sequence[str], stats: Stats, digests: Digests, before_ns: int
) -> tuple[str, ...]:
    """Store what was read; a sentence for the user when that cannot be done, which stops nobody."""
    if memory is None or not len(files):
        return ()
    try:
        memory.store(files, stats, digests, before_ns=before_ns)
    except OSError as error:
        return (f"{memory.file.parent} cannot be written ({error.strerror}): the images are read again next time",)
    return ()


def _complaint(folder: Path, broken: dict[str, str], total: int) -> str:
    lines = [f"  {name}: {reason}" for name, reason in sorted(broken.items())[:SHOWN]]
    if len(broken) > SHOWN:
        lines.append(f"  and {len(broken) - SHOWN:,} more")
    is_or_are = "is not a whole image" if len(broken) == 1 else "are not whole images"
    what = f"{len(broken):,} of {total:,} image files under {folder} {is_or_are}:"
    return "\n".join([what, *lines, "copy these files again from the source, then run again"])
