"""Room on the runner's disk: without it a runner takes no builds, and says so to the site."""

import logging
import threading
from collections.abc import Callable
from pathlib import Path

from sotabench.runner.sandbox.watchdog import DISK_LEFT, disk_left

_LOG = logging.getLogger("sotabench.runner")


def missing_room(folder: Path) -> str:
    """Why any build would be stopped for want of disk, which is not its fault; nothing where there is room."""
    if (left := disk_left(folder)) >= DISK_LEFT:
        return ""
    return f"the runner's disk is full: expected {DISK_LEFT >> 20} MiB left, found {left >> 20}; free some"


class Room:
    """The room in a folder, told by `tell` when it is gone and when it is there again; slots may ask side by side."""

    def __init__(self, folder: Path, tell: Callable[[str], object]) -> None:
        self._folder, self._tell = folder, tell
        self._is_missing, self._lock = False, threading.Lock()

    def report(self) -> None:
        """Tell what changed. What `tell` raises is raised, and told again the next time."""
        with self._lock:
            trouble = missing_room(self._folder)
            if bool(trouble) != self._is_missing:
                self._tell(trouble)
                self._is_missing = bool(trouble)
                _LOG.log(logging.ERROR if trouble else logging.INFO, "%s", trouble or "there is room for builds again")
