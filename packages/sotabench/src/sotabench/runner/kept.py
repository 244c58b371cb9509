"""A repository's kept caches: builds leave them to the next ones, so what is too much in them is too much for all.

They are emptied when a stage that may write them is stopped for what it left, whoever left it: they would be over the
limit of every later build too.
"""

import contextlib
from collections.abc import Iterator
from pathlib import Path

from sotabench.errors import Failed
from sotabench.runner.sandbox import Ended, Limits, Outcome, entries_below, remove

EMPTIED = "its cache was emptied: the next build begins without it"


class TooMuchLeft(Failed):
    """More lies in the folders that the stage may write than its limits allow, or than is gone through."""


def is_too_much(outcome: Outcome) -> bool:
    """Whether the task was stopped for what lies in its folders."""
    return outcome.ended in {Ended.OUT_OF_DISK, Ended.TOO_MANY_FILES}


@contextlib.contextmanager
def emptied_if_too_much(*caches: Path) -> Iterator[None]:
    """While inside, TooMuchLeft empties these caches, and the sentence says so."""
    try:
        yield
    except TooMuchLeft as error:
        empty(*caches)
        raise Failed(f"{error}; {EMPTIED}") from error


def empty(*caches: Path) -> None:
    """Remove them; whoever needs them makes them anew."""
    for cache in caches:
        remove(cache)


def is_above_half(cache: Path, limits: Limits) -> bool:
    """Whether what lies there leaves a stage less than half of its limits. Nothing may be running that writes there."""
    size = files = 0
    try:
        for entry in entries_below(cache):
            size += entry.stat(follow_symlinks=False).st_blocks * 512
            files += 1
            if size > limits.disk // 2 or files > limits.files // 2:
                return True
    except Failed:  # it is deeper than is gone through
        return True
    return False
