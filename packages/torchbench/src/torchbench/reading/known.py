"""The right answers for predictions that were stored earlier: from the data at hand, else by ImageNet's numbers."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchrecord import Predictions, printable, selected
from torchbench import image_classification
from torchbench.benchmark import ImageClassification
from torchbench.dataset import TestSet
from torchbench.dataset.labels import class_names, validation_labels
from torchbench.dataset.names import image_number
from torchbench.dataset.scan import some
from torchbench.errors import ArgumentError
from torchbench.image_classification import ImageNet
from torchbench.metrics import TopK
from torchbench.settings import Settings

BENCHMARKS: dict[str, type[ImageClassification]] = {
    found.name: found
    for found in (getattr(image_classification, name) for name in image_classification.__all__)
    if all(isinstance(metric, TopK) for metric in found.metrics)  # one right class an image
}


@dataclass(frozen=True)
class Known:
    """The label of every predicted image that counts, and where labels come from.

    `test_set` is there where the images are at hand. Where a benchmark scores some classes only, images of the others
    are `uncounted`.
    """

    benchmark: type[ImageClassification]
    labels: dict[str, int]
    source: str
    test_set: TestSet | None = None
    uncounted: frozenset[str] = frozenset()

    @property
    def samples_in_words(self) -> str:
        """How many images there are, and whether that is the whole benchmark."""
        count, size = len(self.labels), self.benchmark.size
        if count == size and (self.test_set is None or self.test_set.complete):
            return f"all {count:,} images"
        if self.test_set is not None and self.test_set.foreign:
            return f"{count:,} images, not the test split's, not comparable with published figures"
        return f"{count:,} of {size:,} images: a subset, not comparable with published figures"

    def class_name(self, label: int) -> str:
        """The first name of a class, or its number where the names are not known."""
        names = self._names
        return names[label].partition(",")[0] if label < len(names) else f"class {label}"

    def counting(self, predictions: Predictions) -> Predictions:
        """The predictions without those of images that do not count."""
        return selected(predictions, [name for name in predictions.ids if name not in self.uncounted])

    def other_data(self, fingerprint: str | None) -> bool:
        """Whether the images at hand are others than those that a record names; False where that is not known."""
        return self.test_set is not None and fingerprint is not None and fingerprint != self.test_set.fingerprint

    @property
    def _names(self) -> Sequence[str]:
        if self.benchmark.name.startswith(ImageNet.name):
            return class_names()
        return getattr(getattr(getattr(self.test_set, "images", None), "dataset", None), "classes", ())


def known_answers(dataset_name: str, predictions: Predictions, data_root: Path | None) -> Known:
    """The labels of the predicted images of a benchmark, from `data_root` where that is given.

    Raises ArgumentError when they cannot be known, DataError for data that cannot be used.
    """
    benchmark = BENCHMARKS.get(dataset_name)
    if benchmark is None:
        known = ", ".join(sorted(BENCHMARKS))
        raise ArgumentError(f"expected a record of {known}, found one of {printable(dataset_name, 100)!r}")
    if data_root is not None:
        return _from_data(benchmark, predictions, data_root)
    if benchmark is not ImageNet:
        raise ArgumentError(f"give --data-root: the labels of {benchmark.name} come with its data")
    return _by_number(predictions)


def _from_data(benchmark: type[ImageClassification], predictions: Predictions, root: Path) -> Known:
    test_set = benchmark.reader.find(root, remember=Settings.from_environment().remember)
    labels = benchmark.labels(test_set)
    at_hand = set(test_set.ids)
    if missing := [name for name in predictions.ids if name not in at_hand]:
        raise ArgumentError(
            f"expected the images of the record at {root}, found {len(missing):,} of {len(predictions):,} missing "
            f"there: {some(missing)}; is --data-root the folder that was evaluated?"
        )
    counting = {name: labels[name] for name in predictions.ids if name in labels}
    return Known(benchmark, counting, "the data at hand", test_set, frozenset(predictions.ids) - counting.keys())


def _by_number(predictions: Predictions) -> Known:
    table = validation_labels()
    if table is None:
        raise ArgumentError("give --data-root: the table of validation labels is not part of this installation")
    numbers = [image_number(f"{name}.JPEG") or 0 for name in predictions.ids]
    if unknown := [
        name for name, number in zip(predictions.ids, numbers, strict=True) if not 1 <= number <= len(table)
    ]:
        raise ArgumentError(
            f"give --data-root: {len(unknown):,} of {len(predictions):,} images do not have one of ImageNet's official "
            f"names, which would tell their labels: {some(unknown)}"
        )
    labels = {name: int(table[number - 1]) for name, number in zip(predictions.ids, numbers, strict=True)}
    return Known(ImageNet, labels, "ImageNet's official numbers")
