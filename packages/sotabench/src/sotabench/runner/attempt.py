"""One attempt at a build, from the job to the last word about it: whose fault an end was is decided here, alone."""

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from sotabench.errors import Broken, Failed, SotabenchError
from sotabench.runner.log import Log
from sotabench.runner.loop import Signals
from sotabench.runner.sandbox import remove
from sotabench.runner.site import Job, LeaseLost, Report, RunnersSite

_LOG = logging.getLogger("sotabench.runner")
_BY_US = "a fault of the runner's own, which its log holds"


@dataclass(frozen=True)
class Attempt:
    """What a build is given: the job, a folder of its own, the report, the log, and how it is stopped."""

    job: Job
    slot: int
    folder: Path
    report: Report
    log: Log
    stop: threading.Event


def run_attempt(
    site: RunnersSite, job: Job, slot: int, folder: Path, build: Callable[[Attempt], None], signals: Signals
) -> None:
    """Run `build` and report how it ended: Failed is the repository's fault, any other error is ours.

    The folder is removed whatever happened. A lost lease leaves nothing to report. An error that nobody foresaw, if it
    came out of `build`, makes this attempt broken and no more: what builds share does not change while they run, and
    a repository that knew of such an error could else end the runner with every slot. Where the attempt itself is at
    fault, so is the next one: then it is raised again, and the runner's supervisor starts a new one.
    """
    stop, report = threading.Event(), Report(site, job)
    try:
        with _passed_on(signals.stop, stop), Log(report, stop) as log:
            status, reason = _ended(build, Attempt(job, slot, folder, report, log, stop), signals)
            reason = " ".join(reason.split())  # it may quote a stranger, whose lines are not the platform's
            log.say(f"{status}: {reason}" if reason else status)
        report.end(status, reason)
    except LeaseLost as error:
        _LOG.warning("gave up %s: %s", _name(job), error)
    except BaseException:
        report.end("broken", _BY_US)
        raise
    finally:
        remove(folder)


def _ended(build: Callable[[Attempt], None], attempt: Attempt, signals: Signals) -> tuple[str, str]:
    """The status and the reason that the site is told. Raises LeaseLost."""
    try:
        remove(attempt.folder)  # what a runner before this one could not remove
        attempt.folder.mkdir(mode=0o711, parents=True)
        _run(build, attempt)
    except Failed as error:
        if attempt.report.lost.is_set():
            raise LeaseLost("the lease was lost while it ran") from error
        if signals.stop.is_set():
            return "broken", "the runner was stopped"
        return "failed", str(error)
    except LeaseLost:
        raise
    except (SotabenchError, OSError) as error:
        _LOG.exception("broke %s", _name(attempt.job))
        return "broken", str(error)
    return "finished", ""


def _run(build: Callable[[Attempt], None], attempt: Attempt) -> None:
    """The build, what nobody foresaw in it as Broken."""
    try:
        build(attempt)
    except (SotabenchError, OSError):
        raise
    except Exception as error:
        raise Broken(_BY_US) from error


@contextmanager
def _passed_on(told: threading.Event, stop: threading.Event) -> Iterator[None]:
    """While inside, the event `told` sets `stop` as well."""
    over = threading.Event()

    def watch() -> None:
        while not over.wait(0.2):
            if told.is_set():
                stop.set()

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def _name(job: Job) -> str:
    return f"{job.repository['name']} #{job.build['number']}"
