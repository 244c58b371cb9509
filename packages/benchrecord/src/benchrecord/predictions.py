"""What a model predicted: for every image its five best classes and their log-probabilities.

`PredictionsBuilder` takes a model's outputs batch by batch and keeps a few numbers an image, so a run's memory does not
grow with the number of classes. Every number belongs to one row, so the batch size changes none of them.
"""

from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, Self, get_args

import numpy as np
from numpy.typing import NDArray

from benchrecord.errors import InvalidPredictions

TOP = 5
MAX_CLASSES = 32_767
"""Classes are kept as int16."""
MAX_ID_LENGTH = 255
"""Characters in an image's id."""
PROBABILITY_TOLERANCE = 0.01
"""How far a row of probabilities may be from summing to 1: twenty roundings of float16, five of bfloat16."""
LOG_PROBABILITY_TOLERANCE = 1e-4
"""How far above 0 a log-probability that another program rounded may be."""

Kind = Literal["logits", "probabilities"]
Floats = NDArray[np.floating[Any]]

_BLOCK_VALUES = 1 << 17  # half a megabyte of float32: five passes over it stay in the second-level cache


@dataclass(frozen=True, eq=False)
class Predictions:
    """The predictions of one model for `N` images; a value that breaks a rule below cannot be built.

    - `ids`: unique, printable, 1 to 255 characters each.
    - `classes (N, 5)` int16, best first, equal outputs by ascending class. -1 fills up when there are fewer than five
      classes, and fills the row of an image whose outputs were not all finite: that image counts as wrong.
    - `log_probabilities (N, 5)` float32, never increasing along a row; -inf where the class is -1.
    - `log_sum_exp (N,)` float32, of the outputs as the model gave them; NaN where they were not all finite.

    Raises InvalidPredictions.
    """

    ids: tuple[str, ...]
    classes: NDArray[np.int16]
    log_probabilities: NDArray[np.float32]
    log_sum_exp: NDArray[np.float32]
    kind: Kind
    number_of_classes: int

    def __post_init__(self) -> None:
        check_number_of_classes(self.number_of_classes)
        if self.kind not in get_args(Kind):
            raise InvalidPredictions(f"expected the kind 'logits' or 'probabilities', found {self.kind!r}")
        _check_ids(self.ids)
        _check_array("classes", self.classes, np.int16, (len(self.ids), TOP))
        _check_array("log_probabilities", self.log_probabilities, np.float32, (len(self.ids), TOP))
        _check_array("log_sum_exp", self.log_sum_exp, np.float32, (len(self.ids),))
        _check_classes(self)
        _check_log_probabilities(self)

    def __len__(self) -> int:
        """Return the number of images."""
        return len(self.ids)

    @property
    def nonfinite(self) -> int:
        """Images with a NaN or infinite output; each counts as wrong."""
        return int(np.count_nonzero(self.classes[:, 0] < 0))


class PredictionsBuilder:
    """Collects the outputs of a model, batch by batch, into `Predictions`.

    Whether the outputs are probabilities is decided over all images: they are when in every row without NaN or infinity
    no value is negative and the values sum to 1 within `PROBABILITY_TOLERANCE`.

    With `kept`, at least five classes (of fewer, all), only these are ranked, as if the model knew no others: the
    log-probabilities are those among the kept classes, log-sum-exp is over their outputs. Classes keep their numbers,
    and an image with any output that was not finite stays wrong. Raises InvalidPredictions for other `kept`.
    """

    def __init__(self, classes: int, *, kept: Collection[int] | None = None) -> None:
        check_number_of_classes(classes)
        self.number_of_classes = classes
        self._kept = None if kept is None else kept_classes(kept, classes)
        self._ids: list[str] = []
        self._ranked: list[_Ranked] = []
        self._probabilities = True

    def add(self, ids: Sequence[str], outputs: NDArray[Any]) -> NDArray[np.int16]:
        """Take the outputs `(B, classes)` of `B` images; returns their best classes `(B, 5)`, as in `Predictions`.

        float16 is widened to float32, float64 is ranked as it is, integers are ranked as float64.
        Raises InvalidPredictions when shape, dtype or an id is wrong; then nothing was added.
        """
        check_outputs(outputs, (len(ids), self.number_of_classes))
        for name in ids:
            _check_id(name)
        ranked = [_empty()]
        for block in blocks(outputs):
            with np.errstate(all="ignore"):  # rows with NaN or infinity are computed and then thrown away
                finite, sums_to_one = distributions(block)
                self._probabilities = self._probabilities and bool(sums_to_one[finite].all())
                ranked.append(_rank(block, finite, self._kept))
        self._ids.extend(ids)
        self._ranked.append(_concatenate(ranked))
        return self._ranked[-1].classes

    def extend(self, other: Self) -> None:
        """Take all that `other` collected, after what is here; raises InvalidPredictions for other classes."""
        if other.number_of_classes != self.number_of_classes:
            raise InvalidPredictions(f"expected {self.number_of_classes} classes, found {other.number_of_classes}")
        if not np.array_equal(other._kept, self._kept):  # type: ignore[arg-type]  # None equals None alone
            raise InvalidPredictions("expected a builder that keeps the same classes, found one that keeps others")
        self._ids.extend(other._ids)
        self._ranked.extend(other._ranked)
        self._probabilities = self._probabilities and other._probabilities

    def finish(self) -> Predictions:
        """Everything added so far, in the order in which it was added. Raises InvalidPredictions for an id twice."""
        classes, outputs, log_rest, total = _concatenate([_empty(), *self._ranked])
        nonfinite = classes[:, 0] < 0
        probabilities = self._probabilities and not nonfinite.all()
        with np.errstate(all="ignore"):  # the rows and places that hold no class are overwritten below
            best = outputs[:, :1]
            shares = np.log(outputs) - np.log(np.where(total > 0, total, 1))[:, None]
            exact = shares if probabilities else (outputs - best) - log_rest[:, None]
            log_probabilities = np.minimum(exact, 0).astype(np.float32)
            log_sum_exp = (best[:, 0] + log_rest).astype(np.float32)
        log_probabilities[classes < 0] = -np.inf
        log_sum_exp[nonfinite] = np.nan
        # A logarithm may be wrong in its last bit, which must not turn two neighbours round.
        np.minimum.accumulate(log_probabilities, axis=1, out=log_probabilities)
        for array in (classes, log_probabilities, log_sum_exp):
            array.setflags(write=False)
        kind: Kind = "probabilities" if probabilities else "logits"
        return Predictions(tuple(self._ids), classes, log_probabilities, log_sum_exp, kind, self.number_of_classes)


class _Ranked(NamedTuple):
    """Per image: best classes `(B, 5)`, their outputs `(B, 5)`, and log-sum-exp less the best output `(B,)`.

    `total (B,)` is what the ranked outputs sum to where some classes were left out, and 1 where none was.
    """

    classes: NDArray[np.int16]
    outputs: NDArray[np.float64]
    log_rest: NDArray[np.float64]
    total: NDArray[np.float64]


def _empty() -> _Ranked:
    return _Ranked(np.empty((0, TOP), np.int16), np.empty((0, TOP)), np.empty(0), np.empty(0))


def _concatenate(ranked: Sequence[_Ranked]) -> _Ranked:
    return _Ranked(*(np.concatenate(parts) for parts in zip(*ranked, strict=True)))


def check_outputs(outputs: NDArray[Any], shape: tuple[int, int]) -> None:
    """Raise InvalidPredictions unless these are plain numbers in an array of this shape."""
    if not isinstance(outputs, np.ndarray):
        raise InvalidPredictions(
            f"expected outputs as a numpy array, got {type(outputs).__name__}; "
            "convert them first, a tensor by .detach().cpu().numpy()"
        )
    if outputs.shape != shape:
        raise InvalidPredictions(f"expected outputs of shape {shape}, one row an id, got {outputs.shape}")
    floats = outputs.dtype.kind == "f" and outputs.dtype.itemsize <= 8
    if not floats and outputs.dtype.kind not in "iu":
        raise InvalidPredictions(f"expected outputs as float16, float32, float64 or integers, got {outputs.dtype}")


def blocks(outputs: NDArray[Any]) -> Iterator[Floats]:
    """The rows of `outputs (B, C)` in order, copied a few at a time: float16 as float32, integers as float64."""
    rows = max(1, _BLOCK_VALUES // outputs.shape[1])
    single = outputs.dtype.kind == "f" and outputs.dtype.itemsize <= 4
    for start in range(0, len(outputs), rows):
        yield np.array(outputs[start : start + rows], np.float32 if single else np.float64, order="C", copy=True)


def distributions(block: Floats) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Which rows are finite, and which have no negative value and sum to 1 within the tolerance."""
    lowest, total = block.min(axis=1), block.sum(axis=1)
    finite = np.isfinite(lowest) & np.isfinite(block.max(axis=1))
    return finite, (lowest >= 0) & (np.abs(total - 1) <= PROBABILITY_TOLERANCE)


def _rank(block: Floats, finite: NDArray[np.bool_], kept: NDArray[np.intp] | None) -> _Ranked:
    """Rank the rows of `block (B, C)`, which is overwritten; only the `kept` classes, when there are any.

    argmax gives the first of equal maxima, so the lowest class wins a tie; five of them with the winner taken out are
    exact, which a partial sort is not.
    """
    rows, total = np.arange(len(block)), np.ones(len(block))
    classes = np.full((len(block), TOP), -1, np.int16)
    outputs = np.full((len(block), TOP), -np.inf)
    if kept is not None:
        block = np.take(block, kept, axis=1)
        total = block.sum(axis=1, dtype=np.float64)
    for place in range(min(TOP, block.shape[1])):
        best = block.argmax(axis=1)
        classes[:, place] = best if kept is None else kept[best]
        outputs[:, place] = block[rows, best]
        block[rows, best] = -np.inf
    classes[~finite] = -1
    return _Ranked(classes, outputs, _log_rest(block, outputs), total)


def _log_rest(block: Floats, outputs: NDArray[np.float64]) -> NDArray[np.float64]:
    """log(sum(exp(output - best))): never below 0, whatever the outputs' size.

    `block` has lost the best classes (they are -inf there); their part is added in double precision.
    """
    np.subtract(block, outputs[:, :1].astype(block.dtype), out=block)
    np.exp(block, out=block)
    others = np.exp(outputs[:, 1:] - outputs[:, :1]).sum(axis=1)
    return np.asarray(np.log1p(block.sum(axis=1).astype(np.float64) + others), dtype=np.float64)


def check_number_of_classes(classes: int) -> None:
    """Raise InvalidPredictions unless int16 can hold the classes."""
    if not 1 <= classes <= MAX_CLASSES:
        raise InvalidPredictions(f"expected 1 to {MAX_CLASSES} classes, found {classes}")


def kept_classes(classes: Collection[int], known: int) -> NDArray[np.intp]:
    """The classes in order; raises InvalidPredictions unless they are at least five (of fewer, all), all different."""
    kept = sorted(set(classes))
    fewest = min(TOP, known)
    if len(kept) != len(classes) or len(kept) < fewest or not 0 <= kept[0] <= kept[-1] < known:
        found = f"{len(classes)}, {len(kept)} different, {kept[:1]} to {kept[-1:]}"
        raise InvalidPredictions(f"expected at least {fewest} different classes of 0 to {known - 1}, found {found}")
    return np.array(kept, dtype=np.intp)


def _check_id(name: str) -> None:
    if not isinstance(name, str):
        raise InvalidPredictions(f"expected an image's id as text, found {type(name).__name__}")
    if not 1 <= len(name) <= MAX_ID_LENGTH or not name.isprintable():
        found = f"{name[:40]!r} ({len(name)} characters)"
        raise InvalidPredictions(f"expected image ids of 1 to {MAX_ID_LENGTH} printable characters, found {found}")


def _check_ids(ids: tuple[str, ...]) -> None:
    for name in ids:
        _check_id(name)
    if len(set(ids)) == len(ids):
        return
    twice = [name for name, count in Counter(ids).items() if count > 1]
    raise InvalidPredictions(f"expected every image once, found {len(twice)} ids more than once: {twice[:3]}")


def _check_array(name: str, array: NDArray[Any], dtype: type[np.generic], shape: tuple[int, ...]) -> None:
    if array.dtype != dtype or array.shape != shape:
        expected = f"{np.dtype(dtype)} of shape {shape}"
        raise InvalidPredictions(f"expected {name} as {expected}, found {array.dtype} of shape {array.shape}")


def _check_classes(predictions: Predictions) -> None:
    classes, known = predictions.classes, predictions.number_of_classes
    _demand((classes >= -1) & (classes < known), classes, f"classes of -1 to {known - 1}")
    given = min(TOP, known)
    filled = classes[:, :given] >= 0
    _demand(filled == filled[:, :1], classes, f"{given} classes an image, or -1 for all of them")
    _demand(classes[:, given:] < 0, classes, f"-1 after the {given} classes that there are")
    ordered = np.sort(classes[:, :given], axis=1)
    _demand((ordered[:, 1:] > ordered[:, :-1]) | (ordered[:, 1:] < 0), classes, "every class once an image")


def _check_log_probabilities(predictions: Predictions) -> None:
    found, missing = predictions.log_probabilities, predictions.classes < 0
    _demand(found <= LOG_PROBABILITY_TOLERANCE, found, "log-probabilities of at most 0 and none of them NaN")
    _demand(found[:, 1:] <= found[:, :-1], found, "log-probabilities in descending order")
    # A log-probability of more than its share would make a likelihood better than any model can have.
    total = np.exp(np.asarray(found, np.float64)).sum(axis=1)
    highest = (1 + PROBABILITY_TOLERANCE) * np.exp(LOG_PROBABILITY_TOLERANCE)
    _demand(total <= highest, found, "probabilities that sum to at most 1")
    _demand(~missing | (found == -np.inf), found, "the log-probability -inf where the class is -1")
    _demand(
        np.isnan(predictions.log_sum_exp) == missing[:, 0],
        predictions.log_sum_exp,
        "the log-sum-exp NaN where the classes are -1, and nowhere else",
    )


def _demand(holds: NDArray[np.bool_], found: NDArray[Any], expected: str) -> None:
    """Raise InvalidPredictions that shows the first row of `found` where `holds` is not true everywhere."""
    wrong = np.flatnonzero(~holds.reshape(len(found), -1).all(axis=1)) if found.size else found
    if len(wrong):
        row = int(wrong[0])
        raise InvalidPredictions(
            f"expected {expected}; row {row} (and {len(wrong) - 1} more) has {found[row].tolist()}"
        )
