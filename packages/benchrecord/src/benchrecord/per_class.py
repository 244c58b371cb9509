"""Where a model is right and what it takes for what: counts by class, in the data set's labels."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from benchrecord.predictions import Predictions
from benchrecord.scoring import predicted_labels, right_classes, top_k_right


@dataclass(frozen=True)
class PerClass:
    """For every label from 0: how many of its images the model got right, of how many."""

    right: tuple[int, ...]
    total: tuple[int, ...]

    @property
    def accuracy(self) -> tuple[float | None, ...]:
        """Fraction of right images by label; None for a label that no image has."""
        return tuple(right / total if total else None for right, total in zip(self.right, self.total, strict=True))


@dataclass(frozen=True)
class Confusion:
    """How many images of class `label` the model took for class `predicted`."""

    label: int
    predicted: int
    count: int


def per_class_accuracy(
    predictions: Predictions, labels: Mapping[str, int], *, target_map: Sequence[int] | None = None, top: int = 1
) -> PerClass:
    """Count the right images of every label; `score` says what is right, and what is raised."""
    right = top_k_right(predictions, right_classes(predictions, labels, target_map), top)
    by_image = np.array([labels[name] for name in predictions.ids], dtype=np.int64)
    counts = [np.bincount(found, minlength=predictions.number_of_classes) for found in (by_image[right], by_image)]
    return PerClass(*(tuple(count.tolist()) for count in counts))


def most_confused(
    predictions: Predictions, labels: Mapping[str, int], n: int = 20, *, target_map: Sequence[int] | None = None
) -> tuple[Confusion, ...]:
    """The at most `n` wrong pairs of label and predicted label with the most images, equals by label, then predicted.

    A taken for B and B taken for A are two pairs. Images with an output that was not finite were taken for nothing and
    are in none. Raises as `score` does, and ValueError for a negative `n`.
    """
    if n < 0:
        raise ValueError(f"expected a number of pairs of at least 0, got {n}")
    right_classes(predictions, labels, target_map)  # checks images, labels and map
    true = np.array([labels[name] for name in predictions.ids], dtype=np.int64)
    predicted = predicted_labels(predictions, target_map)
    wrong = (predicted >= 0) & (predicted != true)
    pairs, counts = np.unique(true[wrong] * predictions.number_of_classes + predicted[wrong], return_counts=True)
    order = np.argsort(-counts, kind="stable")[:n]
    label, taken_for = np.divmod(pairs[order], predictions.number_of_classes)
    return tuple(map(Confusion, label.tolist(), taken_for.tolist(), counts[order].tolist()))
