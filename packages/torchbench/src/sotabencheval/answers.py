"""A model's answers to the images of a test set, in any order and any number of parts; constant memory an image."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchrecord import TOP, Predictions, PredictionsBuilder
from sotabencheval.image_index import ImageIndex, Places
from torchbench.dataset import TestSet
from torchbench.dataset.scan import some
from torchbench.errors import ArgumentError
from torchbench.evaluate import first_batch_hash

_NOT_YET = -2


@dataclass(frozen=True)
class Answered:
    """What came in of `test_set`: predictions, the label of each, and the ids of images that did not come."""

    test_set: TestSet
    predictions: Predictions
    labels: NDArray[np.int64]
    missing: tuple[str, ...]
    repeated: int
    run_hash: str

    @property
    def labels_by_id(self) -> dict[str, int]:
        """The label of every image that came in."""
        return dict(zip(self.predictions.ids, self.labels.tolist(), strict=True))


class Answers:
    """Collects a model's outputs for the images of `test_set`; each image counts once."""

    def __init__(self, test_set: TestSet, classes: int) -> None:
        self.test_set = test_set
        self._classes = classes
        self._index = ImageIndex(test_set.ids)
        self._builder = PredictionsBuilder(classes)
        self._best = np.full((len(test_set.ids), TOP), _NOT_YET, np.int16)
        self._order: list[Places] = []
        self._repeated = 0
        self._run_hash = ""

    def add(self, names: Sequence[Any], outputs: NDArray[Any]) -> None:
        """Take the outputs `(B, classes)` of `B` images, named by id or path, with or without folder and ending.

        An image that comes again with the same five best classes, as samplers do that fill up their last batch, changes
        nothing. Raises ArgumentError, and takes nothing, when an image is not of this test set or comes again with
        other best classes.
        """
        places = self._index.places(names)
        fresh = np.zeros(len(places), np.bool_)
        fresh[np.unique(places, return_index=True)[1]] = True
        fresh &= self._best[places, 0] == _NOT_YET
        run_hash = self._run_hash or first_batch_hash(outputs)
        if not fresh.all():
            self._refuse_other_answers(places, outputs, fresh)
            places, outputs = places[fresh], outputs[fresh]
        self._best[places] = self._builder.add(self._ids(places), outputs)
        self._order.append(places)
        self._repeated += int(np.count_nonzero(~fresh))
        self._run_hash = run_hash

    def so_far(self) -> Answered:
        """Everything that came in, in that order; raises ArgumentError when nothing did."""
        if not self._run_hash:
            raise ArgumentError("expected outputs before results, got none; call add(...) for each batch first")
        return Answered(
            test_set=self.test_set,
            predictions=self._builder.finish(),
            labels=self.test_set.labels[np.concatenate(self._order)],
            missing=tuple(self._ids(np.flatnonzero(self._best[:, 0] == _NOT_YET))),
            repeated=self._repeated,
            run_hash=self._run_hash,
        )

    def _ids(self, places: Places) -> list[str]:
        return [self.test_set.ids[place] for place in places]

    def _refuse_other_answers(self, places: Places, outputs: NDArray[Any], fresh: NDArray[np.bool_]) -> None:
        ids = self._ids(places)
        best = PredictionsBuilder(self._classes).add(ids, outputs)
        known = self._best.copy()
        known[places[fresh]] = best[fresh]
        other = np.flatnonzero((known[places] != best).any(axis=1))
        if len(other):
            twice = sorted({ids[row] for row in other})
            raise ArgumentError(
                f"expected every image once, got {len(twice):,} again with other outputs than before: {some(twice)}; "
                "is the data shuffled while the ids are counted in order, or is the model in training mode?"
            )
