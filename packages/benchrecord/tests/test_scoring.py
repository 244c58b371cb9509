import numpy as np
import pytest
from scipy.stats import binomtest

from benchrecord import InvalidPredictions, InvalidRecord, score, top_k_correct


def labelled(labels):
    return {f"image-{index}": int(label) for index, label in enumerate(labels)}


@pytest.fixture
def labels():
    return np.random.default_rng(3).integers(0, 1000, 1000)


def test_counts_are_those_of_a_plain_loop(rank, random_outputs, labels):
    random_outputs[np.arange(1000), labels] += 8
    expected = {1: 0, 5: 0}
    for row, label in zip(random_outputs, labels, strict=True):
        ranked = sorted(range(1000), key=lambda index, row=row: -row[index])
        for k in expected:
            expected[k] += bool(np.isfinite(row).all()) and label in ranked[:k]
    found = score(rank(random_outputs), labelled(labels))
    assert found.correct == {"Top 1 Accuracy": expected[1], "Top 5 Accuracy": expected[5]}
    assert 0 < expected[1] < expected[5] < 1000
    assert found.samples == 1000
    assert found.nonfinite == 3


@pytest.mark.parametrize("batch_size", [1, 7, 1000])
def test_scores_do_not_depend_on_batch_size_or_order(rank, random_outputs, labels, batch_size):
    random_outputs[np.arange(1000), labels] += 8
    assert score(rank(random_outputs, batch_size), labelled(labels)) == score(rank(random_outputs), labelled(labels))
    backward = {f"image-{999 - index}": int(label) for index, label in enumerate(labels)}
    assert score(rank(random_outputs[::-1], batch_size), backward) == score(rank(random_outputs), labelled(labels))


def test_a_case_worked_by_hand(rank):
    outputs = np.array(
        [[9, 5, 5, 5, 5, 5, 5], [0, 1, 2, 3, 4, 5, 6], [np.nan, 0, 0, 0, 0, 0, 9], [1, 1, 1, 1, 1, 1, 1]]
    )
    found = score(rank(outputs), labelled([5, 6, 6, 4]), top=(1, 4, 5))
    # image 0: 5 is sixth (ties to the lowest); image 1: first; image 2: not finite; image 3: fifth
    assert found.correct == {"Top 1 Accuracy": 1, "Top 4 Accuracy": 1, "Top 5 Accuracy": 2}
    assert found.results == {"Top 1 Accuracy": 0.25, "Top 4 Accuracy": 0.25, "Top 5 Accuracy": 0.5}
    assert found.nonfinite == 1


def test_intervals_are_wilsons_at_95_percent(rank):
    found = score(rank(np.eye(10)), labelled([0, 1, 2, 3, 4, 5, 6, 7, 0, 0]))
    expected = binomtest(8, 10).proportion_ci(0.95, method="wilson")
    assert found.intervals["Top 1 Accuracy"] == pytest.approx((expected.low, expected.high))


def test_a_model_that_is_always_equally_sure_is_right_for_class_0_only(rank):
    assert top_k_correct(rank(np.zeros((4, 1000))), np.array([0, 1, 4, 5]), 1) == 1
    assert top_k_correct(rank(np.zeros((4, 1000))), np.array([0, 1, 4, 5]), 5) == 3


def test_images_that_are_not_finite_are_wrong_even_with_few_classes(rank):
    predictions = rank(np.array([[np.nan, 1.0], [1.0, 0.0]]))
    assert top_k_correct(predictions, np.array([0, 1]), 5) == 1


def test_a_target_map_is_scored_through(rank):
    # The model's class 0 means label 1, and so on round: target_map[label] is the class that the model should say.
    outputs = np.eye(6)[[5, 0, 1]]
    around = [5, 0, 1, 2, 3, 4]
    assert score(rank(outputs), labelled([0, 1, 2]), target_map=around).correct["Top 1 Accuracy"] == 3
    assert score(rank(outputs), labelled([0, 1, 2])).correct["Top 1 Accuracy"] == 0


@pytest.mark.parametrize(
    "target_map", [[0, 0, 1], [0, 1], [0, 1, 3], [0, 1, 2, 3], [-1, 0, 1], [0.0, 1.0, 2.0], [[], 1, 2]]
)
def test_a_target_map_that_is_no_bijection_is_refused(rank, target_map):
    with pytest.raises(InvalidRecord, match="expected a target_map that gives each of 3 classes to one class"):
        score(rank(np.eye(3)), labelled([0, 1, 2]), target_map=target_map)


def test_missing_and_unknown_images_are_counted_and_named(rank):
    labels = labelled([0, 1, 2]) | {"lost-1": 0, "lost-2": 1}
    del labels["image-2"]
    expected = r"exactly 4 images, found 2 missing \(such as 'lost-1', 'lost-2'\) and 1 unknown \(such as 'image-2'\)"
    with pytest.raises(InvalidPredictions, match=expected):
        score(rank(np.eye(3)), labels)


def test_images_left_out_on_purpose_do_not_raise_a_score(rank):
    with pytest.raises(InvalidPredictions, match="found 1 missing"):
        score(rank(np.eye(3)), labelled([0, 1, 2, 0]))


def test_no_images_are_no_score(rank):
    with pytest.raises(InvalidPredictions, match="at least one image"):
        score(rank(np.zeros((0, 3))), {})


@pytest.mark.parametrize("label", [-1, 3])
def test_labels_outside_the_predicted_classes_are_refused(rank, label):
    with pytest.raises(InvalidPredictions, match=f"expected labels of 0 to 2.*found {label} for 'image-1'"):
        score(rank(np.eye(3)), labelled([0, label, 2]))


@pytest.mark.parametrize("labels", [np.zeros(2, int), np.zeros((3, 1), int), np.zeros(3)])
def test_labels_of_another_form_are_refused(rank, labels):
    with pytest.raises(InvalidPredictions, match=r"expected integer labels of shape \(3,\)"):
        top_k_correct(rank(np.eye(3)), labels, 1)


@pytest.mark.parametrize("k", [0, 6])
def test_only_the_five_best_can_be_asked_for(rank, k):
    with pytest.raises(ValueError, match="expected k of 1 to 5"):
        top_k_correct(rank(np.eye(3)), np.zeros(3, int), k)
