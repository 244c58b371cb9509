"""The predictions for some of the images: those that a benchmark scores."""

from collections.abc import Collection
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from benchrecord.errors import InvalidPredictions
from benchrecord.predictions import Predictions
from benchrecord.scoring import some


def selected(predictions: Predictions, images: Collection[str]) -> Predictions:
    """The predictions for these images, in the order in which they were predicted; all of them are itself.

    Raises InvalidPredictions for images that were not predicted.
    """
    rows = rows_of(predictions, images)
    if len(rows) == len(predictions):
        return predictions
    return replace(
        predictions,
        ids=tuple(predictions.ids[row] for row in rows),
        classes=predictions.classes[rows],
        log_probabilities=predictions.log_probabilities[rows],
        log_sum_exp=predictions.log_sum_exp[rows],
    )


def rows_of(predictions: Predictions, images: Collection[str] | None) -> NDArray[np.intp]:
    """Where these images stand among the predictions, in ascending order; None is all of them."""
    if images is None:
        return np.arange(len(predictions))
    wanted = set(images)
    if unknown := wanted.difference(predictions.ids):
        raise InvalidPredictions(f"expected images that were predicted, found {len(unknown)} unknown{some(unknown)}")
    return np.flatnonzero([name in wanted for name in predictions.ids])
