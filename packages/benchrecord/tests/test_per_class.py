from collections import Counter

import numpy as np
import pytest

from benchrecord import Confusion, InvalidPredictions, PerClass, most_confused, per_class_accuracy, score


@pytest.fixture
def labels():
    """Labels of 1,000 images; no image has label 3."""
    drawn = np.random.default_rng(3).integers(0, 11, 1000)
    return {f"image-{index}": int(label) for index, label in enumerate(np.where(drawn == 3, 4, drawn))}


@pytest.fixture
def outputs(random_outputs, labels):
    outputs = random_outputs[:, :11].copy()
    outputs[np.arange(1000), list(labels.values())] += 3
    return outputs


@pytest.mark.parametrize("top", [1, 5])
def test_counts_by_class_are_those_of_a_plain_loop(rank, outputs, labels, top):
    right, total = [0] * 11, [0] * 11
    for row, label in zip(outputs, labels.values(), strict=True):
        total[label] += 1
        best = sorted(range(11), key=lambda index, row=row: -row[index])[:top]
        right[label] += bool(np.isfinite(row).all()) and label in best
    found = per_class_accuracy(rank(outputs), labels, top=top)
    assert found == PerClass(tuple(right), tuple(total))
    assert sum(found.right) == score(rank(outputs), labels).correct[f"Top {top} Accuracy"]
    assert found.accuracy[0] == right[0] / total[0]


def test_a_class_without_images_has_no_accuracy(rank, outputs, labels):
    found = per_class_accuracy(rank(outputs), labels)
    assert found.total[3] == 0
    assert found.accuracy[3] is None
    assert None not in found.accuracy[:3]


def test_confused_pairs_are_those_of_a_plain_loop(rank, outputs, labels):
    outputs[0], outputs[1, 2] = np.nan, -np.inf
    counts = Counter()
    for row, label in zip(outputs, labels.values(), strict=True):
        predicted = int(np.argmax(row))
        if np.isfinite(row).all() and predicted != label:
            counts[label, predicted] += 1
    expected = sorted((-count, label, predicted) for (label, predicted), count in counts.items())
    found = most_confused(rank(outputs), labels, 1000)
    assert [(-pair.count, pair.label, pair.predicted) for pair in found] == expected
    assert most_confused(rank(outputs), labels) == found[:20]
    assert most_confused(rank(outputs), labels, 0) == ()


def test_confusions_worked_by_hand(rank):
    labels = {f"image-{index}": label for index, label in enumerate([0, 0, 0, 1, 1, 2, 2])}
    predictions = rank(np.eye(3)[[2, 2, 0, 0, 1, 1, 0]])
    assert most_confused(predictions, labels, 3) == (Confusion(0, 2, 2), Confusion(1, 0, 1), Confusion(2, 0, 1))
    assert per_class_accuracy(predictions, labels) == PerClass(right=(1, 1, 0), total=(3, 2, 2))


def test_with_a_target_map_both_sides_of_a_pair_are_labels(rank):
    # The model calls label 0 its class 1, label 1 its class 2, label 2 its class 0; it takes label 0 for label 2.
    labels = {"image-0": 0, "image-1": 1, "image-2": 2}
    predictions = rank(np.eye(3)[[0, 2, 0]])
    assert most_confused(predictions, labels, target_map=[1, 2, 0]) == (Confusion(label=0, predicted=2, count=1),)
    assert per_class_accuracy(predictions, labels, target_map=[1, 2, 0]) == PerClass((0, 1, 1), (1, 1, 1))


def test_nothing_depends_on_the_order_of_images(rank, outputs, labels):
    backward = {f"image-{index}": label for index, label in enumerate(reversed(labels.values()))}
    assert per_class_accuracy(rank(outputs[::-1]), backward) == per_class_accuracy(rank(outputs), labels)
    assert most_confused(rank(outputs[::-1]), backward) == most_confused(rank(outputs), labels)


@pytest.mark.parametrize("count", [per_class_accuracy, most_confused])
def test_other_images_and_other_labels_are_refused(rank, count):
    with pytest.raises(InvalidPredictions, match="found 1 missing"):
        count(rank(np.eye(2)), {"image-0": 0, "image-1": 1, "image-2": 0})
    with pytest.raises(InvalidPredictions, match="expected labels of 0 to 1"):
        count(rank(np.eye(2)), {"image-0": 0, "image-1": 2})


def test_fewer_than_no_pairs_are_refused(rank):
    with pytest.raises(ValueError, match="expected a number of pairs of at least 0, got -1"):
        most_confused(rank(np.eye(1)), {"image-0": 0}, -1)
