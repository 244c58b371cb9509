import numpy as np
import pytest

from benchrecord import InvalidPredictions, Score, score, score_multilabel


@pytest.fixture
def labels():
    """As in ReaL: none, one or several labels an image."""
    random = np.random.default_rng(4)
    sets = [random.choice(20, size=size, replace=False).tolist() for size in random.integers(0, 5, 1000)]
    return {f"image-{index}": right for index, right in enumerate(sets)}


def test_the_score_is_that_of_the_authors_rule_in_a_plain_loop(rank, random_outputs, labels):
    outputs = random_outputs[:, :20]
    is_right = [
        bool(np.isfinite(row).all()) and int(np.argmax(row)) in right
        for row, right in zip(outputs, labels.values(), strict=True)
        if right
    ]
    found = score_multilabel(rank(outputs), labels)
    assert found.results == {"ReaL Accuracy": float(np.mean(is_right))}
    assert found.samples == len(is_right) < 1000


def test_a_case_worked_by_hand(rank):
    labels = {"image-0": [2, 0], "image-1": [], "image-2": {0}, "image-3": (1,)}
    found = score_multilabel(rank(np.array([[9, 0, 0], [9, 0, 0], [0, 9, 0], [np.nan, 9, 0]])), labels)
    assert found == Score(samples=3, correct={"ReaL Accuracy": 1}, nonfinite=1)
    assert found.results == {"ReaL Accuracy": 1 / 3}


def test_an_image_that_is_not_finite_counts_only_where_it_has_a_label(rank):
    outputs = np.array([[np.nan, 9], [9, 0]])
    assert score_multilabel(rank(outputs), {"image-0": [], "image-1": [0]}).nonfinite == 0
    assert score_multilabel(rank(outputs), {"image-0": [0, 1], "image-1": [0]}).correct == {"ReaL Accuracy": 1}


def test_one_label_each_is_top_1_accuracy(rank, random_outputs):
    single = {f"image-{index}": int(label) for index, label in enumerate(np.argsort(random_outputs)[:, -2])}
    single |= {f"image-{index}": int(random_outputs[index].argmax()) for index in range(100)}
    expected = score(rank(random_outputs), single)
    found = score_multilabel(rank(random_outputs), {name: [label] for name, label in single.items()}, metric="mine")
    assert found.correct == {"mine": expected.correct["Top 1 Accuracy"]}
    assert found.intervals["mine"] == expected.intervals["Top 1 Accuracy"]


def test_a_target_map_is_scored_through(rank):
    labels = {"image-0": [0, 2], "image-1": [1]}
    predictions = rank(np.eye(3)[[0, 2]])
    assert score_multilabel(predictions, labels, target_map=[1, 2, 0]).correct == {"ReaL Accuracy": 2}


def test_the_score_does_not_depend_on_the_order_of_images(rank, random_outputs, labels):
    backward = {f"image-{index}": right for index, right in enumerate(reversed(labels.values()))}
    expected = score_multilabel(rank(random_outputs[:, :20]), labels)
    assert score_multilabel(rank(random_outputs[::-1, :20]), backward) == expected


def test_images_left_out_on_purpose_are_refused_even_without_labels(rank):
    with pytest.raises(InvalidPredictions, match="expected predictions for exactly 3 images, found 1 missing"):
        score_multilabel(rank(np.eye(2)), {"image-0": [0], "image-1": [1], "image-2": []})


def test_no_label_at_all_is_no_score(rank):
    with pytest.raises(InvalidPredictions, match="at least one image with a label, found none among 2"):
        score_multilabel(rank(np.eye(2)), {"image-0": [], "image-1": []})


@pytest.mark.parametrize("label", [-1, 2])
def test_labels_outside_the_predicted_classes_are_refused(rank, label):
    with pytest.raises(InvalidPredictions, match=f"expected labels of 0 to 1.*found {label} for 'image-1'"):
        score_multilabel(rank(np.eye(2)), {"image-0": [0], "image-1": [1, label]})
