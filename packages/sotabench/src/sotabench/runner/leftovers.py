"""What killed runners and doctors left in the machine's folder for temporary files, where others may write too.

Nothing is removed that may be somebody's: a proxy's folder goes when nobody listens behind its socket, any other when
it is old and holds nothing but what a doctor's probe writes.
"""

import contextlib
import os
import socket
import stat
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

PREFIX = "sotabench-"
SOCKET, PROBE = "egress.sock", "mine"
_JUST_BOUND, _OLD = 10.0, 3600.0
"""Seconds: between a proxy's binding and its listening, and more than a doctor takes."""


def remove_leftovers(folder: Path | None = None) -> int:
    """Remove those that are nobody's any more; how many. What this user may not remove stays."""
    removed = 0
    for place in Path(folder or tempfile.gettempdir()).glob(f"{PREFIX}*"):
        with contextlib.suppress(OSError):
            removed += _removed(place)
    return removed


def _removed(place: Path) -> bool:
    """Whether it was removed. It is held open meanwhile, so that a link put in its place leads nowhere."""
    with _opened(place) as descriptor:
        names = set(os.listdir(descriptor))  # noqa: PTH208 - a path could lead elsewhere by now
        age = time.time() - os.fstat(descriptor).st_mtime
        if not names <= {SOCKET, PROBE} or age < (_JUST_BOUND if SOCKET in names else _OLD):
            return False
        if SOCKET in names and not _is_left(descriptor):
            return False
        for name in names:
            os.unlink(name, dir_fd=descriptor)
    place.rmdir()
    return True


@contextmanager
def _opened(place: Path) -> Iterator[int]:
    descriptor = os.open(place, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _is_left(descriptor: int) -> bool:
    """Whether it is a socket behind which nobody listens."""
    if not stat.S_ISSOCK(os.lstat(SOCKET, dir_fd=descriptor).st_mode):
        return False
    with socket.socket(socket.AF_UNIX) as tried:
        tried.settimeout(1)
        try:
            tried.connect(f"/proc/self/fd/{descriptor}/{SOCKET}")
        except ConnectionRefusedError:
            return True
    return False
