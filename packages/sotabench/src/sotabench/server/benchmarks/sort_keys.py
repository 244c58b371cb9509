"""What a result repeats of its name and figures, so that a leaderboard of any length is ordered by an index."""

import hashlib
from collections.abc import Sequence
from typing import TypedDict

from sotabench.server.benchmarks.figures import MACS, PARAMETERS, SPEED
from sotabench.server.benchmarks.models import Benchmark, Figure

LONGEST = 300
_DIGITS = 32


class SortKeys(TypedDict):
    """Fields of a result that follow from its other fields and its figures."""

    search_name: str
    second_value: float | None
    parameters: float | None
    macs: float | None
    speed: float | None
    speed_condition: str


def sort_keys(name: str, figures: Sequence[Figure], benchmark: Benchmark) -> SortKeys:
    """The keys of a result of this name with these figures on the benchmark."""
    by_name = {figure.name: figure for figure in figures}
    values = {name: figure.value for name, figure in by_name.items()}
    metrics = [metric.name for metric in benchmark.metrics.all()]
    return {
        "search_name": folded(name),
        "second_value": values.get(metrics[1]) if len(metrics) > 1 else None,
        "parameters": values.get(PARAMETERS),
        "macs": values.get(MACS),
        "speed": values.get(SPEED),
        "speed_condition": condition_key(by_name[SPEED].condition) if SPEED in by_name else "",
    }


def folded(text: str) -> str:
    """The text as it is searched for: upper and lower case do not count."""
    return text.casefold()[:LONGEST]


def condition_key(condition: str) -> str:
    """What stands for a condition: as short for the longest one, so that it fits into every index."""
    return hashlib.sha256(condition.encode()).hexdigest()[:_DIGITS]
