"""ReaL: ImageNet's validation images with the labels that people gave them anew."""

from collections.abc import Sequence
from typing import Any

import torchvision

from benchrecord import Predictions, Score, score_multilabel, selected
from torchbench.dataset import ImageNetReader, TestSet
from torchbench.dataset.real_labels import real_labels_of
from torchbench.evaluate import KeptOutputs
from torchbench.image_classification.thousand_classes import ThousandClasses
from torchbench.metrics import RealAccuracy


class ImageNetReaL(ThousandClasses):
    """ImageNet's validation images with the labels of Beyer et al. (2020, arXiv:2006.07159), several or none an image.

    The authors' rules: an image is right when the best class is among its labels, however many they are; images
    without labels are left out, so 46,837 of 50,000 count. The labels belong to the official numbers of the images
    (ILSVRC2012_val_00000001): images that are known by other names cannot be scored, and are left out as well.
    """

    key = "real"
    name = "ImageNet ReaL"
    dataset = torchvision.datasets.ImageNet
    reader = ImageNetReader()
    size = 50_000
    data_root = "./.data/vision/imagenet"
    metrics = (RealAccuracy(),)
    diagnosed = False

    @classmethod
    def score(cls, predictions: Predictions, test_set: TestSet, target_map: Sequence[int] | None) -> Score:
        """Counts over the images that have labels and are known by number."""
        labels = real_labels_of(test_set.ids)
        return score_multilabel(selected(predictions, labels), labels, target_map=target_map)

    @classmethod
    def calibration(
        cls,
        predictions: Predictions,  # noqa: ARG003 - the base's
        test_set: TestSet,  # noqa: ARG003
        target_map: Sequence[int] | None,  # noqa: ARG003
        outputs: KeptOutputs | None,  # noqa: ARG003
    ) -> dict[str, Any]:
        """Nothing: one probability cannot be held against several right classes."""
        return {}

    @classmethod
    def why_not(cls, test_set: TestSet) -> str | None:
        """Where no image is known by its number, or the labels are no part of the installation."""
        if any(real_labels_of(test_set.ids).values()):
            return None
        return (
            f"none of the {len(test_set.ids):,} images can be scored: expected official names such as "
            f"ILSVRC2012_val_00000001, and the table of ReaL labels in this installation; found {test_set.ids[0]}"
        )
