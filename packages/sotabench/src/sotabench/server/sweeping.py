"""What nobody comes back for is swept: one list of all that there is, for `sotabench sweep` and for `sotabench serve`.

A sweep is a function from the time to a count. It may be killed at any moment, may run twice at once, and asks the
database under a lock before it removes what somebody may have come back for.
"""

import logging
import os
import shutil
import stat
import tempfile
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from time import monotonic

from django.conf import settings
from django.contrib.sessions.models import Session
from django.db import close_old_connections, connections
from django.utils import timezone
from prometheus_client import Counter

from sotabench.server.announcing.notices import send_notices, write_notices
from sotabench.server.announcing.statuses import tell_hosts
from sotabench.server.archive import WORKING
from sotabench.server.benchmarks.sweeps import remove_old_previews, remove_unnamed_predictions
from sotabench.server.builds.leases import take_back_builds
from sotabench.server.builds.pushes import forget_deliveries
from sotabench.server.builds.sweeps import remove_old_logs
from sotabench.server.builds.watching import ask_hosts
from sotabench.server.datasets.sweeps import forget_abandoned_uploads, remove_leftover_bytes
from sotabench.server.repositories.remote import ASKING

_LOG = logging.getLogger("sotabench.sweep")
_SWEPT = Counter("sotabench_swept", "Things that nobody came back for, removed", ["what"])
_FAILED = Counter("sotabench_sweeps_failed", "Sweeps that ended with an error; the next one tries again", ["what"])
_HOURLY = timedelta(hours=1)


@dataclass(frozen=True)
class Sweep:
    """One thing to look after: what it removes, by what, and how often `serve` has it done."""

    what: str
    run: Callable[[datetime], int]
    every: timedelta = _HOURLY


def forget_ended_sessions(now: datetime) -> int:
    """Forget sessions that have run out; how many."""
    return Session.objects.filter(expire_date__lt=now).delete()[0]


def remove_working_folders(now: datetime) -> int:
    """Remove what backups and restores that were killed, and questions to git hosts, left a day ago; how many."""
    before = (now - timedelta(days=1)).timestamp()
    places = (*settings.DATA.glob(f"{WORKING}*"), *Path(tempfile.gettempdir()).glob(f"{ASKING}*"))
    left = [folder for folder in places if _is_ours(folder, before)]
    for folder in left:
        shutil.rmtree(folder, ignore_errors=True)
    return len(left)


def _is_ours(folder: Path, before: float) -> bool:
    """Whether it is a folder of this program's user, untouched since: others write to the machine's /tmp too."""
    try:
        found = folder.lstat()
    except FileNotFoundError:  # gone meanwhile
        return False
    return stat.S_ISDIR(found.st_mode) and found.st_uid == os.geteuid() and found.st_mtime < before


SWEEPS = (
    Sweep("builds whose time ran out", take_back_builds, every=timedelta(seconds=5)),
    Sweep("abandoned uploads", forget_abandoned_uploads),
    Sweep("bytes of no upload and no data set", remove_leftover_bytes),
    Sweep("predictions of no result", remove_unnamed_predictions),
    Sweep("working folders", remove_working_folders),
    Sweep("ended sessions", forget_ended_sessions),
    Sweep("webhooks' messages", forget_deliveries),
    Sweep("old logs", remove_old_logs),
    Sweep("old previews", remove_old_previews),
)

ERRANDS = (
    Sweep("git hosts asked", ask_hosts, every=timedelta(seconds=10)),
    Sweep("git hosts told", tell_hosts, every=timedelta(seconds=5)),
    Sweep("notices written", write_notices, every=timedelta(seconds=30)),
    Sweep("notices sent", send_notices, every=timedelta(seconds=30)),
)
"""What a site asks others, beside the sweeps and in a thread of its own: others may be slow."""


def sweep(sweeps: Sequence[Sweep] = SWEEPS) -> dict[str, int | None]:
    """How much each removed; None for one that failed, which is logged and keeps none of the others from running."""
    return {one.what: _run(one) for one in sweeps}


def _run(one: Sweep) -> int | None:
    close_old_connections()  # the database may have restarted since the last time
    try:
        count = one.run(timezone.now())
    except Exception:  # noqa: BLE001 - whatever is wrong with one sweep, the next tries again, and the log has all of it
        _LOG.exception("a sweep failed", extra={"facts": {"what": one.what}})
        _FAILED.labels(one.what).inc()
        connections.close_all()
        return None
    _SWEPT.labels(one.what).inc(count)
    if count:
        _LOG.info("swept", extra={"facts": {"what": one.what, "count": count}})
    return count


class Sweeper(threading.Thread):
    """Runs each sweep at once and then as often as it wants, beside a server, until its process ends."""

    def __init__(self, sweeps: Sequence[Sweep] = SWEEPS, *, tick: float = 5) -> None:
        super().__init__(name="sweeper", daemon=True)
        self._due = dict.fromkeys(sweeps, 0.0)
        self._tick = tick
        self._stopped = threading.Event()

    def run(self) -> None:
        """Look what is due, every few seconds."""
        while not self._stopped.is_set():
            for one in [one for one, due in self._due.items() if due <= monotonic()]:
                _run(one)
                self._due[one] = monotonic() + one.every.total_seconds()
            connections.close_all()
            self._stopped.wait(self._tick)

    def stop(self) -> None:
        """End after the sweep that runs now."""
        self._stopped.set()
