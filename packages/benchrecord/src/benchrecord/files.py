"""Files that others may have written or may be writing: read without being led astray, replaced all at once.

What this does not protect against: links in the folders *above* the file (the reader chooses the folder), and a
processor's time, which is bounded by the size limits only. Locks hold between processes of one machine; a network file
system must support `flock`. On Windows the lock is `msvcrt.locking` and a folder cannot be synced; not tested there.
"""

import errno
import os
import secrets
import stat
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchrecord.errors import BenchRecordError

_OPEN = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
_STRANGERS_FAULT = {errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.EACCES, errno.ENXIO, errno.ENAMETOOLONG}
_KINDS = {
    stat.S_IFDIR: "a folder",
    stat.S_IFLNK: "a symbolic link",
    stat.S_IFIFO: "a FIFO",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}


def read_strangers_file(path: Path, *, limit: int, error: type[BenchRecordError], hard_links: bool = False) -> bytes:
    """The bytes of a file whose writer is not trusted; opened once, so what was checked is what is read.

    Raises `error` when it is missing or unreadable, is a link or not a regular file, has a second name (unless
    `hard_links`), is larger than `limit` bytes, holes included, or changes meanwhile.
    Trouble of this machine stays an OSError.
    """
    try:
        # Opening a device can have effects, so the kind is looked at first; the opened file is looked at again.
        _check_regular(os.lstat(path), path, error)
        descriptor = os.open(path, _OPEN)
    except OSError as found:
        if found.errno not in _STRANGERS_FAULT:
            raise
        raise error(f"expected a readable regular file at {str(path)!r}, found: {found.strerror}") from found
    with os.fdopen(descriptor, "rb") as file:
        facts = os.fstat(file.fileno())
        _check_regular(facts, path, error)
        if facts.st_nlink != 1 and not hard_links:
            raise error(f"expected {str(path)!r} to have one name, found {facts.st_nlink} hard links to it")
        if facts.st_size > limit:
            raise error(f"expected at most {limit} bytes in {str(path)!r}, found {facts.st_size}")
        content = file.read(facts.st_size + 1)
        if len(content) != facts.st_size:
            raise error(f"expected {str(path)!r} to keep its {facts.st_size} bytes while it is read, found it changed")
        return content


def _check_regular(facts: os.stat_result, path: Path, error: type[BenchRecordError]) -> None:
    if not stat.S_ISREG(facts.st_mode):
        kind = _KINDS.get(stat.S_IFMT(facts.st_mode), "something else")
        raise error(f"expected a regular file at {str(path)!r}, found {kind}")


def replace_file(path: Path, content: bytes, *, temporary: Path | None = None) -> None:
    """Write `content` to `path` so that whoever looks, even after a crash, finds the old file or the whole new one.

    `temporary` is a name in the same folder which the caller alone uses; by default one that nobody else can have.
    """
    temporary = temporary or unused_name(path)
    temporary.unlink(missing_ok=True)
    try:
        with temporary.open("xb") as file:  # "x": a link that somebody put there is refused, not followed
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        move_over(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def unused_name(path: Path) -> Path:
    """A hidden name beside `path` that nobody else can have."""
    return path.with_name(f".{path.name}.{secrets.token_hex(8)}.tmp")


def move_over(temporary: Path, path: Path) -> None:
    """Let the file `temporary`, whose bytes are on the disk already, take the place of `path` in the same folder."""
    if path.exists():
        temporary.chmod(stat.S_IMODE(path.stat().st_mode))
    temporary.replace(path)
    _sync_folder(path.parent)


def _sync_folder(folder: Path) -> None:
    if sys.platform == "win32":
        return
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def exclusive_lock(path: Path) -> Iterator[None]:
    """Hold the lock file at `path`, waiting for it; the system gives it back when the process ends, however it ends.

    The file stays: removing it would let two processes hold locks on two files of one name.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0), 0o666)
    try:
        _wait_for_lock(descriptor)
        yield
    finally:
        os.close(descriptor)


if sys.platform == "win32":
    import msvcrt

    def _wait_for_lock(descriptor: int) -> None:
        while True:
            try:
                msvcrt.locking(descriptor, msvcrt.LK_LOCK, 1)
            except OSError as found:  # after ten tries, a second apart
                if found.errno != errno.EDEADLK:
                    raise
            else:
                return
else:
    import fcntl

    def _wait_for_lock(descriptor: int) -> None:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
