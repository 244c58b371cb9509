"""How many images a model got right: integer counts, with one division at the very end."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchrecord.errors import InvalidPredictions, InvalidRecord
from benchrecord.predictions import TOP, Predictions
from benchrecord.statistics import wilson_interval


@dataclass(frozen=True)
class Score:
    """Counts of right images by metric ("Top 1 Accuracy"), and what follows from them as fractions.

    `nonfinite` images had a NaN or infinite output; they are among the `samples` and count as wrong.
    """

    samples: int
    correct: dict[str, int]
    nonfinite: int

    @property
    def results(self) -> dict[str, float]:
        """Fraction of right images, by metric."""
        return {name: count / self.samples for name, count in self.correct.items()}

    @property
    def intervals(self) -> dict[str, tuple[float, float]]:
        """95 % interval of each result (Wilson, 1927), as fractions."""
        return {name: wilson_interval(count, self.samples) for name, count in self.correct.items()}


def score(
    predictions: Predictions,
    labels: Mapping[str, int],
    *,
    target_map: Sequence[int] | None = None,
    top: Sequence[int] = (1, 5),
) -> Score:
    """Score the predictions against the label of every image id.

    With a `target_map` an image is right when the predicted class is `target_map[label]`.
    Raises InvalidPredictions unless the predictions are for exactly the images that have a label, at least one, and
    InvalidRecord for a map that is not a bijection over the classes.
    """
    targets = right_classes(predictions, labels, target_map)
    correct = {f"Top {k} Accuracy": top_k_correct(predictions, targets, k) for k in top}
    return Score(samples=len(predictions), correct=correct, nonfinite=predictions.nonfinite)


def right_classes(
    predictions: Predictions, labels: Mapping[str, int], target_map: Sequence[int] | None = None
) -> NDArray[np.int64]:
    """The class that the model should have said `(N,)`, in the order of the predictions; raises as `score` does."""
    check_same_images(predictions.ids, labels)
    targets = np.array([labels[name] for name in predictions.ids], dtype=np.int64)
    _check_labels(predictions, targets)
    return targets if target_map is None else _bijection(target_map, predictions.number_of_classes)[targets]


def predicted_labels(predictions: Predictions, target_map: Sequence[int] | None = None) -> NDArray[np.int64]:
    """The label that the best class stands for `(N,)`; -1 where an output was not finite.

    Raises InvalidRecord for a map that is not a bijection over the classes.
    """
    best = predictions.classes[:, 0].astype(np.int64)
    if target_map is None:
        return best
    label_of_class = np.argsort(_bijection(target_map, predictions.number_of_classes))
    return np.where(best < 0, -1, label_of_class[best])


def top_k_correct(predictions: Predictions, labels: NDArray[np.integer], k: int) -> int:
    """The number of images whose label is among their `k` best classes; labels `(N,)`, `k` of 1 to 5.

    Raises InvalidPredictions when a label is no class of the predictions, ValueError for another `k`.
    """
    return int(np.count_nonzero(top_k_right(predictions, labels, k)))


def top_k_right(predictions: Predictions, labels: NDArray[np.integer], k: int) -> NDArray[np.bool_]:
    """Which images `(N,)` have their label among their `k` best classes; raises as `top_k_correct` does."""
    if not 1 <= k <= TOP:
        raise ValueError(f"expected k of 1 to {TOP}, the classes that predictions hold, got {k}")
    _check_labels(predictions, labels)
    right: NDArray[np.bool_] = (predictions.classes[:, :k] == labels[:, None]).any(axis=1)
    return right


def _check_labels(predictions: Predictions, labels: NDArray[np.integer]) -> None:
    if labels.shape != (len(predictions),) or labels.dtype.kind not in "iu":
        expected = f"integer labels of shape ({len(predictions)},)"
        raise InvalidPredictions(f"expected {expected}, got {labels.dtype} of shape {labels.shape}")
    wrong = np.flatnonzero((labels < 0) | (labels >= predictions.number_of_classes))
    if len(wrong):
        first = int(wrong[0])
        raise InvalidPredictions(
            f"expected labels of 0 to {predictions.number_of_classes - 1}, the classes that were predicted, "
            f"found {labels[first]} for {predictions.ids[first]!r} and {len(wrong) - 1} more; "
            "does the model's output have the data set's number of classes?"
        )


def check_same_images(ids: Sequence[str], labels: Mapping[str, object]) -> None:
    """Raise InvalidPredictions unless the ids, which `Predictions` keeps unique, are exactly those with a label."""
    known = set(ids)
    missing = [name for name in labels if name not in known]
    unknown = [name for name in ids if name not in labels]
    if missing or unknown:
        raise InvalidPredictions(
            f"expected predictions for exactly {len(labels)} images, found {len(missing)} missing{some(missing)} "
            f"and {len(unknown)} unknown{some(unknown)}; evaluate the whole data set, and no other"
        )
    if not ids:
        raise InvalidPredictions("expected predictions for at least one image, found none")


def some(names: Iterable[str]) -> str:
    """A few of the names, for an error message; nothing when there are none."""
    few = sorted(names)[:3]
    return f" (such as {', '.join(map(repr, few))})" if few else ""


def _bijection(target_map: Sequence[int], classes: int) -> NDArray[np.int64]:
    """The map as an array, once it is known to give every class to exactly one class."""
    expected = f"a target_map that gives each of {classes} classes to one class"
    if not all(isinstance(target, int | np.integer) and not isinstance(target, bool) for target in target_map):
        raise InvalidRecord(f"expected {expected}, found entries that are not integers")
    if len(target_map) != classes or set(target_map) != set(range(classes)):
        found = f"{len(target_map)} entries, {len(set(target_map))} different"
        raise InvalidRecord(f"expected {expected} (a bijection), found {found}")
    return np.array(target_map, dtype=np.int64)
