"""Two models on the same images: who was right where, and whether the difference could be chance."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchrecord.errors import InvalidPredictions
from benchrecord.predictions import Predictions
from benchrecord.scoring import right_classes, some, top_k_right

TargetMap = Sequence[int] | None


@dataclass(frozen=True)
class Comparison:
    """Images that both models, only the first, only the second or neither got right, and what follows from the counts.

    Only the images on which one of them is right tell the two apart, so a difference far smaller than either model's
    own interval can be certain. Raises ValueError for a negative count, and for no images at all.
    """

    both: int
    only_first: int
    only_second: int
    neither: int

    def __post_init__(self) -> None:
        if min(self.both, self.only_first, self.only_second, self.neither) < 0 or self.samples < 1:
            raise ValueError(f"expected counts of at least one image, got {self}")

    @property
    def samples(self) -> int:
        """All images."""
        return self.both + self.only_first + self.only_second + self.neither

    @property
    def difference(self) -> float:
        """The first model's accuracy less the second's, a fraction from -1 to 1."""
        return (self.only_first - self.only_second) / self.samples

    @property
    def p_value(self) -> float:
        """How often equally good models would differ as much or more: `mcnemar_p_value`."""
        return mcnemar_p_value(self.only_first, self.only_second)

    def interval(self, *, confidence: float = 0.95, draws: int = 10_000, seed: int = 0) -> tuple[float, float]:
        """Interval of the difference by the paired bootstrap, percentile method (Efron and Tibshirani, 1993, ch. 13).

        Images are drawn with replacement, each with both models' answers. All that counts of a draw is how many images
        fall into each of the four cells, which is multinomial: the cells are drawn directly, the distribution is the
        same. The same seed and the same numpy give the same interval, in whatever order the images are.
        Raises ValueError unless 0 < confidence < 1 and there is a draw.
        """
        if not 0 < confidence < 1 or draws < 1:
            raise ValueError(f"expected a confidence between 0 and 1 and at least one draw, got {confidence}, {draws}")
        cells = np.array([self.only_first, self.only_second, self.both + self.neither])
        drawn = np.random.default_rng(seed).multinomial(self.samples, cells / self.samples, size=draws)
        differences = (drawn[:, 0] - drawn[:, 1]) / self.samples
        low, high = np.quantile(differences, [(1 - confidence) / 2, (1 + confidence) / 2])
        return float(low), float(high)


def compare(
    first: Predictions,
    second: Predictions,
    labels: Mapping[str, int],
    *,
    target_maps: tuple[TargetMap, TargetMap] = (None, None),
    top: int = 1,
) -> Comparison:
    """Compare two models on the images that have a label; an image is right when its label is among the `top` best.

    Each model is scored through its own target map, as `score` does it.
    Raises InvalidPredictions, saying which images one of them lacks, unless both are for exactly these images.
    """
    _check_same_images(first, second)
    right = right_by_image([first, second], labels, target_maps=target_maps, top=top)
    both = int(np.count_nonzero(right[0] & right[1]))
    one, other = (int(np.count_nonzero(row)) for row in right)
    return Comparison(both, one - both, other - both, len(first) - one - other + both)


def right_by_image(
    models: Sequence[Predictions],
    labels: Mapping[str, int],
    *,
    target_maps: Sequence[TargetMap] | None = None,
    top: int = 1,
) -> NDArray[np.bool_]:
    """Whether each model is right on each image, `(models, N)`, images in the order of the labels."""
    place = {name: index for index, name in enumerate(labels)}
    right = np.empty((len(models), len(labels)), np.bool_)
    for row, model, target_map in zip(right, models, target_maps or [None] * len(models), strict=True):
        answers = top_k_right(model, right_classes(model, labels, target_map), top)
        row[[place[name] for name in model.ids]] = answers
    return right


def mcnemar_p_value(only_first: int, only_second: int) -> float:
    """Two-sided p-value of the exact conditional test of McNemar (1947), as in Fagerland, Lydersen and Laake (2013).

    Given that exactly one of two equally good models is right, it is either with probability 1/2: twice the smaller
    tail of that binomial distribution, at most 1. No approximation, so the level is kept for any counts; for a few
    dozen images the test is cautious, which is why these authors (doi:10.1186/1471-2288-13-91) advise the mid-p
    variant there. The relative error is below 1e-8 up to a million images; what is below 1e-307 or so may come as 0.
    Raises ValueError for negative counts.
    """
    if min(only_first, only_second) < 0:
        raise ValueError(f"expected counts of images, got {only_first} and {only_second}")
    smaller, trials = min(only_first, only_second), only_first + only_second
    log_choose = math.lgamma(trials + 1) - math.lgamma(smaller + 1) - math.lgamma(trials - smaller + 1)
    # The terms below the largest one, relative to it: C(n, k - 1) / C(n, k) = k / (n - k + 1).
    falling = np.arange(smaller, 0, -1)
    tail = 1 + np.cumprod(falling / (trials - falling + 1)).sum()
    return min(1.0, 2 * math.exp(log_choose - trials * math.log(2)) * float(tail))


def _check_same_images(first: Predictions, second: Predictions) -> None:
    ids = set(first.ids), set(second.ids)
    if ids[0] != ids[1]:
        missing = [ids[1] - ids[0], ids[0] - ids[1]]
        raise InvalidPredictions(
            "expected both models' predictions for the same images, found "
            f"{len(missing[0])} missing from the first{some(missing[0])} and "
            f"{len(missing[1])} missing from the second{some(missing[1])}; compare runs on one data set"
        )
