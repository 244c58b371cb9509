"""Two stored models on the same images, for people and for programs."""

from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from benchrecord import Comparison, Score, compare, printable, score
from torchbench.errors import ArgumentError
from torchbench.reading.known import Known, known_answers
from torchbench.reading.stored import Stored

SIGNIFICANCE = 0.05
OTHER_DATA = "The fingerprints in the records differ: the ids are the same, and not all the images."


@dataclass(frozen=True)
class Versus:
    """Two models on the same images; A is the first, B the second. An image is right when its class is among `top`."""

    stored: tuple[Stored, Stored]
    known: Known
    top: int
    scores: tuple[Score, Score]
    counts: Comparison

    @property
    def metric(self) -> str:
        """The metric's name."""
        return f"Top {self.top} Accuracy"

    @property
    def tie(self) -> bool:
        """Whether chance may explain the difference."""
        return self.counts.p_value >= SIGNIFICANCE

    @cached_property
    def interval(self) -> tuple[float, float]:
        """95 % interval of the difference, by the paired bootstrap."""
        return self.counts.interval()

    @property
    def same_data(self) -> bool | None:
        """Whether the records' fingerprints of the images are equal; None unless both have one."""
        first, second = (stored.fingerprint for stored in self.stored)
        return None if first is None or second is None else first == second

    def to_dict(self) -> dict[str, Any]:
        """Plain values; differences and intervals are fractions, A less B."""
        return {
            "dataset_name": self.known.benchmark.name,
            "samples": self.counts.samples,
            "size": self.known.benchmark.size,
            "labels_from": self.known.source,
            "same_fingerprint": self.same_data,
            "models": [
                {"source": stored.source, "model": stored.record["model"], "correct": scored.correct}
                | {"results": scored.results, "intervals": scored.intervals}
                for stored, scored in zip(self.stored, self.scores, strict=True)
            ],
            "metric": self.metric,
            **asdict(self.counts),
            "difference": self.counts.difference,
            "difference_interval": self.interval,
            "p_value": self.counts.p_value,
            "significance": SIGNIFICANCE,
            "tie": self.tie,
        }


def versus(first: Stored, second: Stored, data_root: Path | None, *, top: int = 1) -> Versus:
    """Compare two stored models.

    Raises ArgumentError unless both are of one benchmark whose labels are known, InvalidPredictions unless they are for
    the same images.
    """
    one, other = (printable(stored.record["dataset_name"], 100) for stored in (first, second))
    if one != other:
        raise ArgumentError(f"expected two records of one benchmark, found {one} and {other}")
    pair = first.expect_predictions(), second.expect_predictions()
    maps = first.target_map, second.target_map
    known = known_answers(first.record["dataset_name"], pair[0], data_root)
    pair = known.counting(pair[0]), known.counting(pair[1])
    counts = compare(*pair, known.labels, target_maps=maps, top=top)
    scores = [score(each, known.labels, target_map=map_) for each, map_ in zip(pair, maps, strict=True)]
    return Versus((first, second), known, top, (scores[0], scores[1]), counts)


def lines_of(pair: Versus) -> list[str]:
    """The comparison in words and tables."""
    counts = pair.counts
    return [
        *(f"{letter}: {stored.model} ({stored.source})" for letter, stored in zip("AB", pair.stored, strict=True)),
        f"on {pair.known.benchmark.name}, {pair.known.samples_in_words}; labels from {pair.known.source}",
        *([OTHER_DATA] if pair.same_data is False else []),
        "",
        *_accuracies(pair),
        "",
        f"{pair.metric}, image by image:",
        f"  {counts.both:>8,}  right with both",
        f"  {counts.only_first:>8,}  right with A only",
        f"  {counts.only_second:>8,}  right with B only",
        f"  {counts.neither:>8,}  right with neither",
        "",
        *_difference(pair),
    ]


def _accuracies(pair: Versus) -> list[str]:
    width = max(len(name) for name in pair.scores[0].results)
    lines = [f"{'':{width}}  {'A':>8}  {'95 % interval':<16}  {'B':>8}  95 % interval"]
    for name in pair.scores[0].results:
        cells = [f"{scored.results[name]:>8.3%}  {_points(scored.intervals[name])}" for scored in pair.scores]
        lines.append(f"{name:{width}}  {cells[0]:<26}  {cells[1]}")
    return lines


def _difference(pair: Versus) -> list[str]:
    counts = pair.counts
    told_apart = counts.only_first + counts.only_second
    between = _points(pair.interval, sign="+")
    p_value = f"{counts.p_value:.3g}" if counts.p_value >= 1e-4 else f"{counts.p_value:.1e}"
    tie = f"A statistical tie: equally good models would differ this much or more in {counts.p_value:.0%} of all cases."
    apart = f"Not a tie: {'A' if counts.difference > 0 else 'B'} is better than chance explains (p < {SIGNIFICANCE})."
    return [
        f"difference A - B: {100 * counts.difference:+.3f} points, 95 % interval {between} (paired bootstrap)",
        f"exact McNemar test on the {told_apart:,} images that only one of them got right: p = {p_value}",
        tie if pair.tie else apart,
    ]


def _points(interval: tuple[float, float], *, sign: str = "") -> str:
    return " to ".join(f"{100 * end:{sign}.2f}" for end in interval)
