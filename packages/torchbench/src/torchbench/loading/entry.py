"""One entry of the prepared cache: a file of uint8 crops, each with its checksum, complete or absent.

    0        4,096 bytes of header: a line of JSON, then spaces
    4,096    the crops, `(count, height, width, 3)` of uint8
    ...      a 32-bit checksum for each crop

The header is written last, to a locked file of another name that is then renamed. A process that is killed leaves a
draft that nobody reads, and its lock dies with it. A process verifies the checksum of a crop when it reads it for the
first time: that notices what a power cut or a failing disk left behind, not a forger.
"""

import json
import os
import zlib
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from torchbench.loading.normalise import Levels

try:
    import fcntl
except ImportError:  # Windows has neither locks that die with their owner nor reading at an offset: no cache there
    fcntl = None  # type: ignore[assignment]

FORMAT = 2
HEADER = 4096
LANES = 64

# By device and inode: when a file was last modified, and which of its crops this process verified since.
_verified: dict[tuple[int, int], tuple[int, np.ndarray[Any, Any]]] = {}


class Unusable(Exception):  # noqa: N818 - an answer: no entry is read or written, and the images are decoded
    """An entry, or a crop of it, cannot be used; the message says why."""


@dataclass(frozen=True)
class Contents:
    """What is in an entry: which images, prepared how, by what; and the shape of it all.

    `in_order` is a digest of the files' contents one after the other: by it crop k is of image k, which neither the
    `fingerprint` nor any name can say. `first` is the checksum of the first crop as it is decoded today: an entry of a
    decoder that gave other pixels has other contents.
    """

    fingerprint: str
    in_order: str
    first: int
    geometry: dict[str, object]
    filter: str
    decoder: str
    pillow: str
    count: int
    height: int
    width: int
    format: int = FORMAT

    @property
    def crop_bytes(self) -> int:
        """Bytes of one crop."""
        return self.height * self.width * 3

    @property
    def file_bytes(self) -> int:
        """Bytes of the whole file."""
        return HEADER + self.count * (self.crop_bytes + 4)

    def header(self, checksums: np.ndarray[Any, Any]) -> bytes:
        """The header of the complete file."""
        fields = asdict(self) | {"checksums": zlib.crc32(checksums.tobytes())}
        return json.dumps(fields).encode().ljust(HEADER)


def read_contents(path: Path) -> tuple[Contents, int]:
    """What an entry says it holds, and the checksum of its checksums; raises Unusable."""
    try:
        with path.open("rb") as file:
            fields = json.loads(file.read(HEADER))
            size = os.fstat(file.fileno()).st_size
        checksum = fields.pop("checksums")
        contents = Contents(**fields)
        if contents.format != FORMAT or contents.file_bytes != size:
            raise Unusable(f"{path} is of another format or size")
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise Unusable(f"{path} has no readable header ({error})") from error
    return contents, checksum


def checksums_of(levels: Levels) -> np.ndarray[Any, Any]:
    """A 32-bit checksum for each crop: CRC-32 of 64 interleaved sums of 8-byte words, and of the bytes left over.

    A CRC-32 of every byte would take half as long as the whole warm path; the sums run at the speed of memory.
    """
    flat = levels.reshape(len(levels), -1)
    rows, rest = divmod(flat.shape[1], LANES * 8)
    words = flat[:, : flat.shape[1] - rest].view("<u8").reshape(len(levels), rows, LANES)
    over = flat[:, flat.shape[1] - rest :]
    pairs = zip(words.sum(axis=1), over, strict=True)
    return np.array([zlib.crc32(left, zlib.crc32(sums)) for sums, left in pairs], "<u4")


class Entry:
    """A complete entry, open for reading from several threads."""

    def __init__(self, path: Path, contents: Contents) -> None:
        """Open an entry that holds exactly `contents`; raises Unusable when there is none."""
        if fcntl is None:
            raise Unusable("the prepared cache needs POSIX files")
        found, checksum = read_contents(path)
        if found != contents:
            raise Unusable(f"{path} holds something else")
        self.path = path
        self.contents = contents
        try:
            self._file = path.open("rb", buffering=0)
        except OSError as error:
            raise Unusable(f"{path} cannot be opened ({error})") from error
        self._checksums = np.zeros(contents.count, "<u4")
        self._read_into(self._checksums.data.cast("B"), HEADER + contents.count * contents.crop_bytes)
        if zlib.crc32(self._checksums.tobytes()) != checksum:
            self.close()
            raise Unusable(f"{path} is damaged")
        modified, verified = _verified.get(self._identity(), (-1, self._checksums))
        same = modified == os.fstat(self._file.fileno()).st_mtime_ns
        self._verified = verified if same else np.zeros(contents.count, np.bool_)
        self._remember()

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def read(self, first: int, levels: Levels) -> None:
        """Fill `levels` `(k, h, w, 3)` with the crops from `first` on; raises Unusable when one is damaged."""
        self._read_into(levels.data.cast("B"), HEADER + first * self.contents.crop_bytes)
        crops = slice(first, first + len(levels))
        if self._verified[crops].all():
            return
        if not np.array_equal(checksums_of(levels), self._checksums[crops]):
            raise Unusable(f"{self.path} is damaged")
        self._verified[crops] = True

    def touch(self) -> None:
        """Say that the entry is in use now, if that may be said; its time of modification is that of its last use."""
        with suppress(OSError):
            os.utime(self._file.fileno())
            self._remember()

    def remove(self) -> None:
        """Remove the file, if it may be."""
        with suppress(OSError):
            self.path.unlink()

    def _identity(self) -> tuple[int, int]:
        status = os.fstat(self._file.fileno())
        return status.st_dev, status.st_ino

    def _remember(self) -> None:
        _verified[self._identity()] = os.fstat(self._file.fileno()).st_mtime_ns, self._verified

    def _read_into(self, memory: memoryview, offset: int) -> None:
        while memory:
            try:
                got = os.preadv(self._file.fileno(), [memory], offset)
            except OSError as error:
                raise Unusable(f"{self.path} cannot be read ({error})") from error
            if not got:
                raise Unusable(f"{self.path} ends early")
            memory, offset = memory[got:], offset + got


class Draft:
    """An entry that is being written, from several threads, under a name that nobody reads."""

    def __init__(self, path: Path, contents: Contents) -> None:
        """Lock the draft of the entry `path`; raises Unusable when another process writes it or nobody can."""
        self._path = path
        self._draft = path.with_suffix(".draft")
        self._contents = contents
        self._checksums = np.zeros(contents.count, "<u4")
        self._written = np.zeros(contents.count, np.bool_)
        self._file = lock(self._draft)
        os.ftruncate(self._file, 0)  # what a killed process left here

    def write(self, first: int, levels: Levels) -> None:
        """Write the crops from `first` on; raises OSError when the disk is full."""
        memory, offset = levels.data.cast("B"), HEADER + first * self._contents.crop_bytes
        while memory:
            got = os.pwrite(self._file, memory, offset)
            memory, offset = memory[got:], offset + got
        end = first + len(levels)
        self._checksums[first:end] = checksums_of(levels)
        self._written[first:end] = True

    def finish(self) -> None:
        """Turn a draft with every crop into an entry, and any other into nothing."""
        if not self._written.all():
            self.discard()
            return
        os.pwrite(self._file, self._checksums.data, HEADER + self._contents.count * self._contents.crop_bytes)
        os.pwrite(self._file, self._contents.header(self._checksums), 0)
        self._draft.replace(self._path)
        os.close(self._file)

    def discard(self) -> None:
        """Remove the draft."""
        with suppress(OSError):
            self._draft.unlink()
        os.close(self._file)


def lock(draft: Path) -> int:
    """A descriptor of the file, created if need be, locked until it is closed; raises Unusable when another has it."""
    if fcntl is None:
        raise Unusable("this system has no file locks")
    try:
        file = os.open(draft, os.O_RDWR | os.O_CREAT, 0o666)
    except OSError as error:
        raise Unusable(f"{draft.parent} cannot be written ({error})") from error
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        ours = draft.stat().st_ino == os.fstat(file).st_ino  # else it was renamed or removed before we had the lock
    except OSError:
        ours = False
    if not ours:
        os.close(file)
        raise Unusable("another process is writing it")
    return file
