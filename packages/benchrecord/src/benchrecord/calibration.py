"""Whether a model's probabilities can be believed: negative log-likelihood and expected calibration error.

Both are over all images; a model with an output that is not finite has no probability there, so it has neither number.
Sums are exactly rounded (`math.fsum`), so no digit depends on the order of the images.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchrecord.errors import InvalidPredictions
from benchrecord.predictions import Predictions
from benchrecord.scoring import right_classes, top_k_right

BINS = 15
"""The number of bins in the tables of Guo et al. (2017)."""


@dataclass(frozen=True)
class Bin:
    """Images whose confidence is in (`low`, `high`], and in the first bin also 0; `confidence` is their mean."""

    low: float
    high: float
    samples: int
    right: int
    confidence: float | None

    @property
    def accuracy(self) -> float | None:
        """Fraction of right images; None, like `confidence`, for a bin without images."""
        return self.right / self.samples if self.samples else None


def reliability(
    predictions: Predictions, labels: Mapping[str, int], *, target_map: Sequence[int] | None = None, bins: int = BINS
) -> tuple[Bin, ...] | None:
    """Accuracy by confidence in `bins` bins of equal width (Guo et al., 2017, arXiv:1706.04599, eq. 3).

    An image's confidence is the probability of its best class, so 1.0 is in the last bin. None when an output was not
    finite. Raises as `score` does, and ValueError for less than one bin.
    """
    if bins < 1:
        raise ValueError(f"expected at least one bin, got {bins}")
    right = top_k_right(predictions, right_classes(predictions, labels, target_map), 1)
    if predictions.nonfinite:
        return None
    confidence = np.exp(np.minimum(predictions.log_probabilities[:, 0].astype(np.float64), 0))
    edges = np.arange(bins + 1) / bins
    place = bin_of(confidence, edges)
    return tuple(
        _bin((float(edges[number]), float(edges[number + 1])), right[place == number], confidence[place == number])
        for number in range(bins)
    )


def bin_of(confidence: NDArray[np.float64], edges: NDArray[np.float64]) -> NDArray[np.intp]:
    """The number of each confidence's bin, which includes its upper edge and not its lower, but for 0 in the first."""
    return np.searchsorted(edges[1:-1], confidence, side="left")


def expected_calibration_error(
    predictions: Predictions, labels: Mapping[str, int], *, target_map: Sequence[int] | None = None, bins: int = BINS
) -> float | None:
    """Mean gap of accuracy and confidence over the bins of `reliability`, weighted by their images (eq. 5 there).

    A fraction from 0 to 1; needs the predictions file only. None when an output was not finite.
    """
    found = reliability(predictions, labels, target_map=target_map, bins=bins)
    if found is None:
        return None
    gaps = [abs(each.right - each.samples * each.confidence) for each in found if each.confidence is not None]
    return math.fsum(gaps) / len(predictions)


def negative_log_likelihood(
    predictions: Predictions,
    labels: Mapping[str, int],
    *,
    outputs: NDArray[np.float16] | None = None,
    target_map: Sequence[int] | None = None,
) -> float | None:
    """Mean of -log of the probability that the model gave the right class, in nats.

    It is taken from the five best classes (float32) where the right one is among them, else from `outputs`, all
    log-probabilities `(N, C)` as `read_outputs` gives them, where rounding is off by at most 2^-11 of each value. None
    when an output was not finite, or when a right class is not among the five best and there are no `outputs`.
    Infinite when the model gave a right class the probability 0. Probabilities that do not quite sum to 1 are taken as
    the model gave them. Raises as `score` does, and InvalidPredictions for outputs of another shape or dtype.
    """
    right = right_classes(predictions, labels, target_map)
    if outputs is not None:
        check_log_probabilities(outputs, predictions)
    if predictions.nonfinite:
        return None
    among = predictions.classes == right[:, None]
    missing = np.flatnonzero(~among.any(axis=1))
    if len(missing) and outputs is None:
        return None
    found = predictions.log_probabilities[among].astype(np.float64)
    if outputs is not None:
        found = np.concatenate([found, outputs[missing, right[missing]].astype(np.float64)])
    return abs(math.fsum(np.minimum(found, 0))) / len(predictions)


def check_log_probabilities(outputs: NDArray[np.float16], predictions: Predictions) -> None:
    """Raise InvalidPredictions unless these can be the predictions' outputs, as `read_outputs` gives them."""
    shape = len(predictions), predictions.number_of_classes
    if outputs.shape != shape or outputs.dtype != np.float16:
        expected = f"the outputs of the same predictions, float16 of shape {shape}"
        raise InvalidPredictions(f"expected {expected}, got {outputs.dtype} of shape {outputs.shape}")


def _bin(edges: tuple[float, float], right: NDArray[np.bool_], confidence: NDArray[np.float64]) -> Bin:
    mean = math.fsum(confidence) / len(confidence) if len(confidence) else None
    return Bin(*edges, len(right), int(np.count_nonzero(right)), mean)
