"""Which models of a leaderboard are a statistical tie."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from benchrecord.comparison import TargetMap, mcnemar_p_value, right_by_image
from benchrecord.predictions import Predictions


@dataclass(frozen=True)
class TiedGroups:
    """A ranking, and the groups of neighbours in it that are a statistical tie.

    - `ranking`: positions of the models in the list that was given, most right images first; equals as given.
    - `groups`: ranges of places in the ranking, best first. A model may be in several; every model is in one.
    """

    ranking: tuple[int, ...]
    groups: tuple[range, ...]

    @cached_property
    def letters(self) -> tuple[tuple[str, ...], ...]:
        """The letters of each place of the ranking: `a` for the first group, ..., `z`, `aa`, `ab`, ...

        Models that share a letter are tied. Models that share none are told apart, or another model between them is
        told apart from one of them (the line display; letters for groups of any kind are Piepho, 2004).
        """
        return tuple(
            tuple(_letter(number) for number, group in enumerate(self.groups) if place in group)
            for place in range(len(self.ranking))
        )


def tied_groups(
    models: Sequence[Predictions],
    labels: Mapping[str, int],
    *,
    target_maps: Sequence[TargetMap] | None = None,
    top: int = 1,
    significance: float = 0.05,
) -> TiedGroups:
    """Rank the models, and find every longest run of neighbours of which any two are tied.

    Two models are tied when `mcnemar_p_value` is not below `significance`. It is *not* corrected for the number of
    pairs: whether two models are tied must not depend on who else is listed, or a stranger could blur a leaderboard by
    sending more models. The price: of the pairs that are truly equal, up to 1 in 20 is shown as told apart.
    Raises InvalidPredictions unless every model's predictions are for exactly the images that have a label.
    """
    right = right_by_image(models, labels, target_maps=target_maps, top=top)
    ranking = np.argsort(-np.count_nonzero(right, axis=1), kind="stable")
    groups = _runs(_tied(right[ranking], significance))
    return TiedGroups(tuple(ranking.tolist()), tuple(groups))


def _tied(right: NDArray[np.bool_], significance: float) -> NDArray[np.bool_]:
    """Whether each two rows of `right (M, N)` are tied, `(M, M)`."""
    answers = right.astype(np.float32)  # counts of up to 2^24 images are exact in it, and its product is fast
    both = np.rint(answers @ answers.T).astype(np.int64)
    only = both.diagonal()[:, None] - both
    tied = np.ones(only.shape, np.bool_)
    for first, second in zip(*np.triu_indices(len(right), 1), strict=True):
        p_value = mcnemar_p_value(int(only[first, second]), int(only[second, first]))
        tied[first, second] = tied[second, first] = p_value >= significance
    return tied


def _runs(tied: NDArray[np.bool_]) -> list[range]:
    """The maximal ranges of places within which all pairs are tied."""
    starts, start = [], 0
    for end in range(len(tied)):
        apart = np.flatnonzero(~tied[end, start:end])
        start += int(apart[-1]) + 1 if len(apart) else 0
        starts.append(start)
    # A run that ends here is maximal unless the run that ends one place later begins at the same place.
    ends = [end for end in range(len(starts)) if end + 1 == len(starts) or starts[end + 1] > starts[end]]
    return [range(starts[end], end + 1) for end in ends]


def _letter(number: int) -> str:
    name = ""
    while number >= 0:
        number, last = divmod(number, 26)
        name = chr(ord("a") + last) + name
        number -= 1
    return name
