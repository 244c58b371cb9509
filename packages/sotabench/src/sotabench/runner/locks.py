"""Locks among the builds and the runners of one machine; the system gives one back however its process ends."""

import fcntl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event
from typing import IO

from sotabench.errors import Failed

_PAUSE = 0.1


@contextmanager
def held(lock: Path, stop: Event) -> Iterator[None]:
    """The lock, for a build. Raises Failed where the build is stopped before it has it."""
    with lock.open("a") as file:
        if not taken(file, stop):
            raise Failed("stopped while it waited for another build")
        yield


def taken(file: IO[str], stop: Event, *, waits: Callable[[], None] = lambda: None) -> bool:
    """Whether the open file is locked now; False once told to stop. `waits` is called once if somebody else has it."""
    is_waiting = False
    while not stop.is_set():
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if not is_waiting:
                waits()
            is_waiting = True
            stop.wait(_PAUSE)
        else:
            return True
    return False
