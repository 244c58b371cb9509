"""The runner: so many slots, each of which claims a build, runs it and reports, until the runner is told to stop.

A slot that finds no build asks again after a moment; a site that does not answer is asked ever less often. The first
signal drains (what runs goes on, nothing new is claimed), the second one stops what runs.
"""

import logging
import signal
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from dataclasses import dataclass, field

from sotabench.errors import SiteRefused, SiteUnreachable
from sotabench.runner.site import Job

_LOG = logging.getLogger("sotabench.runner")
_ASK_EVERY, _LONGEST_PAUSE = 0.5, 30.0


@dataclass
class Signals:
    """What the runner was told: `drain` to take nothing new, `stop` to end what runs as well."""

    drain: threading.Event = field(default_factory=threading.Event)
    stop: threading.Event = field(default_factory=threading.Event)

    def listen(self) -> None:
        """Obey SIGTERM and SIGINT: once to drain, twice to stop."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: self.told())

    def told(self) -> None:
        """Take one signal."""
        (self.stop if self.drain.is_set() else self.drain).set()


Claim = Callable[[int], Job | None]
"""A build for a slot, when one waits. Raises SiteRefused, SiteUnreachable."""


def run_slots(claim: Claim, slots: Sequence[int], run: Callable[[Job, int], None], signals: Signals) -> None:
    """Serve the slots until the runner is drained; `run` runs one job in one slot to its end.

    What a slot raises drains the others and is raised here.
    """
    with ThreadPoolExecutor(len(slots), thread_name_prefix="slot") as threads:
        running = [threads.submit(serve_slot, claim, slot, run, signals) for slot in slots]
        while not wait(running, timeout=0.2, return_when=FIRST_EXCEPTION).done >= set(running):
            if any(future.done() and future.exception() for future in running):
                signals.drain.set()
    for future in running:
        future.result()


def serve_slot(claim: Claim, slot: int, run: Callable[[Job, int], None], signals: Signals) -> None:
    """Claim and run, one build after the other, until the runner is drained."""
    pause = _ASK_EVERY
    while not signals.drain.is_set():
        try:
            job = claim(slot)
        except (SiteUnreachable, SiteRefused) as error:
            pause = min(2 * pause, _LONGEST_PAUSE)
            _LOG.warning("the site gave no build, asked again in %.0f s: %s", pause, error)
            signals.drain.wait(pause)
            continue
        pause = _ASK_EVERY
        if job is None:
            signals.drain.wait(pause)
            continue
        began = time.monotonic()
        _LOG.info("begins %s #%s", job.repository["name"], job.build["number"])
        run(job, slot)
        _LOG.info("ended %s #%s, %.1f s", job.repository["name"], job.build["number"], time.monotonic() - began)
