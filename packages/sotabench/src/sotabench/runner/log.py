"""An attempt's log on its way to the site: lines are sent in order, none lost; the lease is kept meanwhile."""

import itertools
import threading
from typing import TYPE_CHECKING, Self

from sotabench.errors import Broken, SiteRefused
from sotabench.lines import Lines
from sotabench.runner.site import LeaseLost, Report

if TYPE_CHECKING:
    from collections.abc import Callable

MOST_OUTPUT = 4 << 20
"""Bytes of a repository's own output that are kept."""

MOST_AT_ONCE = 1 << 19
"""Characters that are sent at once, half of what the site takes: so many lines at once would take minutes if empty."""

_SEND_EVERY, _LONGEST_SILENCE = 0.2, 5.0


class Log:
    """`say` and `output` are for the stages, from any thread; a thread of its own sends. Use as a context.

    A lost lease sets `stop`, which ends whatever runs; so does what cannot be said, which leaving the context raises.
    """

    def __init__(self, report: Report, stop: threading.Event) -> None:
        self._report, self._stop = report, stop
        self._lines: list[str] = []
        self._partial = Lines()
        self._left, self._number = MOST_OUTPUT, 0
        self._renew_every = min(_LONGEST_SILENCE, report.job.lease_seconds / 4)
        self._lock = threading.Lock()
        self._ending = threading.Event()
        self._fault: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="log", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        self._ending.set()
        self._thread.join()
        if self._fault and kind is None:
            raise self._fault

    def say(self, line: str) -> None:
        """A line of the platform's own, or several."""
        with self._lock:
            self._lines.extend(map(_as_output, self._partial.finish()))
            self._lines.extend(f"# {part}" for part in line.splitlines())

    def output(self, data: bytes) -> None:
        """What a process of the repository printed; past `MOST_OUTPUT` it is dropped, and a line says so."""
        with self._lock:
            if self._left <= 0:
                return
            self._lines.extend(map(_as_output, self._partial.feed(data[: self._left])))
            self._left -= len(data)
            if self._left <= 0:
                self._lines.append(f"# the log is cut here: more than {MOST_OUTPUT} bytes of output")

    def _run(self) -> None:
        send: Callable[[], bool] = self._send
        quiet = 0.0
        try:
            while not self._ending.wait(_SEND_EVERY):
                quiet = 0.0 if send() else quiet + _SEND_EVERY
                if quiet >= self._renew_every:
                    self._report.renew()
                    quiet = 0.0
            with self._lock:
                self._lines.extend(map(_as_output, self._partial.finish()))
            while send():
                pass
        except LeaseLost:
            self._stop.set()
        except BaseException as error:  # noqa: BLE001 - without this thread nobody keeps the lease, so the build ends
            self._fault = error
            self._stop.set()

    def _send(self) -> bool:
        """Send what waits, at most so much; whether there was anything."""
        with self._lock:
            sizes = itertools.accumulate(len(line) + 1 for line in self._lines)
            count = max(1, sum(1 for _ in itertools.takewhile(lambda size: size <= MOST_AT_ONCE, sizes)))
            lines, self._lines = self._lines[:count], self._lines[count:]
        if not lines:
            return False
        try:
            self._report.log(self._number, "\n".join(lines))
        except (SiteRefused, Broken):
            return True  # the site keeps no more of this log
        self._number += 1
        return True


def _as_output(line: str) -> str:
    """A repository's line, which cannot look like one of the platform's own."""
    return f" {line}" if line.startswith("#") else line
