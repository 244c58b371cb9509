"""Records come out of the sandbox while it runs: each is handed to the site as soon as it stands in the file.

The file and what lies beside it are a stranger's: nothing is followed, everything is bounded, nothing is unpickled.
"""

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any, Self

from benchrecord import InvalidPredictions, InvalidRecord, printable, read_records
from benchrecord.files import read_strangers_file
from sotabench.errors import SiteRefused
from sotabench.runner import workplace
from sotabench.runner.site import LeaseLost, Report

MOST_CALLS = 200
MOST_BYTES_OF_PREDICTIONS = 256 << 20
_LOOK_EVERY = 0.2
_REST = 4.0  # the file is looked at again after this many times what it took of a processor


@dataclass
class Collected:
    """What became of the calls so far."""

    accepted: list[str] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)


class Collector:
    """Watches the records' file in `folder` from a thread of its own. Use as a context around the evaluation.

    Every record is handed in with `stamp`, what the runner itself knows of the run, in the place of what it says.
    A lost lease sets `stop`, as do a site that takes everything but a call and a fault that nobody foresaw.
    """

    def __init__(
        self,
        folder: Path,
        report: Report,
        stamp: Mapping[str, Any],
        *,
        say: Callable[[str], None],
        stop: threading.Event,
    ) -> None:
        self._file = folder / PurePosixPath(workplace.RECORDS).name
        self._report, self._stamp, self._say, self._stop = report, stamp, say, stop
        self._seen, self._problem, self._changed = 0, "", (0, 0, 0)
        self._ending = threading.Event()
        self._fault: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="collector", daemon=True)
        self.collected = Collected()

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ending.set()
        self._thread.join()

    def finish(self) -> Collected:
        """Hand in what is left, once nothing runs any more. Raises LeaseLost, and what ended the thread too soon."""
        if self._fault:
            raise self._fault
        self._look()
        if self._problem:
            self.collected.refused.append(self._problem)
        return self.collected

    def _run(self) -> None:
        try:
            pause = _LOOK_EVERY
            while not self._ending.wait(pause):
                began = time.thread_time()
                self._look()
                pause = max(_LOOK_EVERY, _REST * (time.thread_time() - began))
        except LeaseLost:
            self._stop.set()
        except BaseException as error:  # noqa: BLE001 - `finish` raises it, in the thread that reports
            self._fault = error
            self._stop.set()

    def _look(self) -> None:
        """Hand in the records that are new; a file that cannot be read is looked at again when it has changed."""
        try:
            facts = self._file.lstat()
            changed = facts.st_mtime_ns, facts.st_ino, facts.st_size  # clocks tick some hundred times a second alone
            if changed == self._changed:
                return
            self._changed = changed
            records = read_records(self._file, max_records=MOST_CALLS)
        except FileNotFoundError:
            return
        except (InvalidRecord, OSError) as error:
            self._problem = printable(str(error).replace(str(self._file), "the records' file"), 500)
            return
        self._problem = ""
        for record in records[self._seen :]:
            self._seen += 1
            self._hand_in(record)

    def _hand_in(self, record: Mapping[str, Any]) -> None:
        name = printable(str(record.get("model") or "a model without a name"), 100)
        try:
            accepted = self._report.call(self._seen, {**record, **self._stamp}, self._predictions(record))
        except (SiteRefused, InvalidPredictions, OSError) as error:
            words = printable(str(error), 500)
            self.collected.refused.append(f"{name}: {words}")
            self._say(f"call {self._seen}, {name}: refused: {words}")
        else:
            self.collected.accepted.append(name)
            done = "known from an earlier run" if record.get("carried_over") else "scored"
            self._say(f"call {self._seen}, {name}: {done}, result {accepted['result']} on {accepted['benchmark']}")

    def _predictions(self, record: Mapping[str, Any]) -> bytes | None:
        named = record.get("predictions")
        name = named.get("name") if isinstance(named, dict) else None
        if name is None:
            return None
        if not isinstance(name, str) or PurePosixPath(name).name != name or name in {"", ".", ".."}:
            raise InvalidPredictions("expected the predictions' file to have a plain name, found another")
        path = self._file.with_name(name)
        return read_strangers_file(path, limit=MOST_BYTES_OF_PREDICTIONS, error=InvalidPredictions)
