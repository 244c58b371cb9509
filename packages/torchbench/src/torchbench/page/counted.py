"""What a page shows: counted again from the predictions where the right answers are known, else as declared."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from benchrecord import (
    Confusion,
    PerClass,
    expected_calibration_error,
    most_confused,
    negative_log_likelihood,
    per_class_accuracy,
    reliability,
    score,
)
from torchbench.page.mistakes import Mistake, worst_mistakes
from torchbench.page.plots import Plot, class_plot, confidence_plot, reliability_plot
from torchbench.reading.known import Known
from torchbench.reading.stored import Stored

_MOST_CONFUSED = 15
_WORST_CLASSES = 10


@dataclass(frozen=True)
class Row:
    """A metric: fractions, with the paper's figure where the record has one."""

    name: str
    value: float
    interval: Sequence[float] | None
    paper: float | None

    @property
    def difference(self) -> float | None:
        """Measured less paper."""
        return None if self.paper is None else self.value - self.paper


@dataclass(frozen=True)
class ClassRow:
    """How many images of a class were right."""

    name: str
    right: int
    total: int


@dataclass(frozen=True)
class Counted:
    """What follows from predictions and right answers."""

    rows: Sequence[Row]
    differs: bool
    nonfinite: int
    calibration_error: float | None
    likelihood: float | None
    plots: Sequence[Plot]
    class_plot: Plot
    worst_classes: Sequence[ClassRow]
    confused: Sequence[Confusion]
    mistakes: Sequence[Mistake]


def counted(stored: Stored, known: Known) -> Counted:
    """Every number of the page, from the predictions; raises InvalidPredictions when they do not fit the labels."""
    predictions, labels, target_map = known.counting(stored.expect_predictions()), known.labels, stored.target_map
    scored = score(predictions, labels, target_map=target_map, top=[metric.k for metric in known.benchmark.metrics])
    bins = reliability(predictions, labels, target_map=target_map)
    classes = per_class_accuracy(predictions, labels, target_map=target_map)
    declared = stored.record["results"]
    return Counted(
        rows=_rows(scored.results, scored.intervals, stored.record),
        differs=any(abs(declared.get(name, value) - value) > 1e-9 for name, value in scored.results.items()),
        nonfinite=predictions.nonfinite,
        calibration_error=expected_calibration_error(predictions, labels, target_map=target_map),
        likelihood=negative_log_likelihood(
            predictions, labels, outputs=None if known.uncounted else stored.outputs(), target_map=target_map
        ),
        plots=[reliability_plot(bins), confidence_plot(bins)] if bins else [],
        class_plot=class_plot(classes),
        worst_classes=_worst_classes(classes, known),
        confused=most_confused(predictions, labels, _MOST_CONFUSED, target_map=target_map),
        mistakes=worst_mistakes(predictions, known, target_map),
    )


def declared_rows(record: Mapping[str, Any]) -> list[Row]:
    """The results as the record says them."""
    return _rows(record["results"], record.get("intervals") or {}, record)


def _rows(
    results: Mapping[str, float], intervals: Mapping[str, Sequence[float]], record: Mapping[str, Any]
) -> list[Row]:
    paper = record.get("paper_results") or {}
    return [Row(name, value, intervals.get(name), paper.get(name)) for name, value in results.items()]


def _worst_classes(classes: PerClass, known: Known) -> list[ClassRow]:
    """The classes with the smallest share of right images, the larger class first among equals; none that is whole."""
    counts = enumerate(zip(classes.right, classes.total, strict=True))
    wrong = [(right / total, -total, label) for label, (right, total) in counts if right < total]
    return [
        ClassRow(known.class_name(label), classes.right[label], -negative)
        for _, negative, label in sorted(wrong)[:_WORST_CLASSES]
    ]
