"""Scoring against several right labels an image, or none: ImageNet's ReaL labels (Beyer et al., arXiv:2006.07159)."""

from collections.abc import Collection, Mapping, Sequence

from benchrecord.errors import InvalidPredictions
from benchrecord.predictions import Predictions
from benchrecord.scoring import Score, check_same_images, predicted_labels

REAL_ACCURACY = "ReaL Accuracy"
"""The authors' own name for the metric."""


def score_multilabel(
    predictions: Predictions,
    labels: Mapping[str, Collection[int]],
    *,
    target_map: Sequence[int] | None = None,
    metric: str = REAL_ACCURACY,
) -> Score:
    """The fraction of images whose best class is among their labels, over the images that have any.

    These are the rules of Beyer et al. (2020): an image without labels is left out, of the `samples` too (46,837 of
    ImageNet's 50,000 are left); more labels earn nothing more. Predictions must still be for exactly the images that
    `labels` names, the unlabelled among them, so that none is left out by choice.
    Raises InvalidPredictions when they are not, when no image has a label, or a label is no class; InvalidRecord for a
    map that is not a bijection over the classes.
    """
    check_same_images(predictions.ids, labels)
    _check_labels(labels, predictions.number_of_classes)
    predicted = predicted_labels(predictions, target_map).tolist()
    sets = [labels[name] for name in predictions.ids]
    labelled = [(label, right) for label, right in zip(predicted, sets, strict=True) if len(right)]
    if not labelled:
        raise InvalidPredictions(f"expected at least one image with a label, found none among {len(labels)}")
    correct = sum(label in right for label, right in labelled)
    nonfinite = sum(label < 0 for label, _ in labelled)
    return Score(samples=len(labelled), correct={metric: correct}, nonfinite=nonfinite)


def _check_labels(labels: Mapping[str, Collection[int]], classes: int) -> None:
    for name, right in labels.items():
        if wrong := [label for label in right if not 0 <= label < classes]:
            raise InvalidPredictions(
                f"expected labels of 0 to {classes - 1}, the classes that were predicted, found {wrong[0]} for "
                f"{name!r}; does the model's output have the data set's number of classes?"
            )
