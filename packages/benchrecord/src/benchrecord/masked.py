"""Predictions restricted to some classes, as ImageNet-A and -R and their controls on ImageNet ask for it.

Both sets have images of 200 of the 1,000 classes, and their authors drop the other 800 outputs before the best one is
looked for (Hendrycks et al., 2021, arXiv:1907.07174; Hendrycks et al., 2021, arXiv:2006.16241). The control is the same
on ImageNet's own images of these classes.
"""

from collections.abc import Collection
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from benchrecord.calibration import check_log_probabilities
from benchrecord.outputs_file import LOWEST
from benchrecord.predictions import TOP, Predictions, PredictionsBuilder, kept_classes
from benchrecord.selection import rows_of


@dataclass(frozen=True)
class Masked:
    """Predictions as if the model knew some classes only, and how many of them float16 leaves open.

    The classes keep their numbers. The log-probabilities are those among the kept classes (they sum to 1 again);
    log-sum-exp is the logarithm of the probability that the model gave to all of them together. For `undecided` images
    two classes are equal in float16, with none of the model's five best among the kept ones to settle which is best:
    the lowest class is taken, as for any tie.
    """

    predictions: Predictions
    undecided: int


def masked_predictions(
    predictions: Predictions,
    outputs: NDArray[np.float16],
    classes: Collection[int],
    *,
    images: Collection[str] | None = None,
) -> Masked:
    """Rank the images anew, the given classes only; `images` are the ids to keep, by default all.

    `outputs` are all log-probabilities `(N, C)`, as `read_outputs` gives them. Kept classes that are among the five
    best of all rank first and in that order, exactly; the others by `outputs`, where float16 merges what differs by
    less than 2^-11 of its value, but turns nothing round. An image with any output that was not finite stays wrong.
    With a target map, give the model's classes: `[target_map[label] for label in ...]`.
    Raises InvalidPredictions for outputs of other predictions, for `images` that are not predicted, and unless at least
    five (of fewer classes, all) different classes are kept.
    """
    check_log_probabilities(outputs, predictions)
    kept = kept_classes(classes, predictions.number_of_classes)
    rows = rows_of(predictions, images)
    builder, undecided = PredictionsBuilder(len(kept)), 0
    step = max(1, (1 << 17) // len(kept))
    for start in range(0, len(rows), step):
        chosen = rows[start : start + step]
        values = _merge(predictions, outputs, chosen, kept)
        builder.add([predictions.ids[row] for row in chosen], values)
        undecided += int(np.count_nonzero((values == values.max(axis=1, keepdims=True)).sum(axis=1) > 1))
    return Masked(_renumbered(builder.finish(), kept, predictions.number_of_classes), undecided)


def _merge(
    predictions: Predictions, outputs: NDArray[np.float16], rows: NDArray[np.intp], kept: NDArray[np.intp]
) -> NDArray[np.float64]:
    """The kept log-probabilities `(B, kept)`, exact for the five best, which nothing else equals."""
    best, exact = predictions.classes[rows], _descending(predictions.log_probabilities[rows])
    place = np.full(predictions.number_of_classes, -1)
    place[kept] = np.arange(len(kept))
    at = np.where(best >= 0, place[best], -1)
    values = np.maximum(outputs[np.ix_(rows, kept)].astype(np.float64), LOWEST)  # NaN stays NaN
    values = np.minimum(values, np.nextafter(exact[:, -1:], -np.inf))
    row, rank = np.nonzero(at >= 0)
    values[row, at[row, rank]] = exact[row, rank]
    return values


def _descending(log_probabilities: NDArray[np.float32]) -> NDArray[np.float64]:
    """The five best, each a hair below the one before at least: float32 may merge what the ranking tells apart."""
    values = np.maximum(log_probabilities.astype(np.float64), LOWEST)
    for rank in range(1, TOP):
        values[:, rank] = np.minimum(values[:, rank], np.nextafter(values[:, rank - 1], -np.inf))
    return values


def _renumbered(predictions: Predictions, kept: NDArray[np.intp], known: int) -> Predictions:
    """The same predictions, in the numbers that the classes had before they were masked."""
    numbers = np.where(predictions.classes < 0, -1, kept[predictions.classes]).astype(np.int16)
    return replace(predictions, classes=numbers, number_of_classes=known)
