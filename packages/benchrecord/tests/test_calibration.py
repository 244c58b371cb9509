import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import log_softmax, softmax

from benchrecord import (
    InvalidPredictions,
    OutputsWriter,
    Predictions,
    expected_calibration_error,
    negative_log_likelihood,
    read_outputs,
    reliability,
)
from benchrecord.calibration import bin_of


def labelled(labels):
    return {f"image-{index}": int(label) for index, label in enumerate(labels)}


def predicted_with(confidences):
    """Predictions of class 0 of 100 with the given confidences as probabilities."""
    found = np.full((len(confidences), 5), -np.inf, np.float32)
    with np.errstate(divide="ignore"):
        found[:, 0] = np.log(confidences)
    classes = np.tile(np.arange(5, dtype=np.int16), (len(confidences), 1))
    ids = tuple(labelled(confidences))
    return Predictions(ids, classes, found, np.zeros(len(ids), np.float32), "probabilities", 100)


@pytest.fixture
def finite(random_outputs):
    return np.delete(random_outputs, [12, 13, 14], axis=0)


@pytest.fixture
def labels(finite):
    """Labels of which half are the model's best class, the others any."""
    drawn = np.random.default_rng(3).integers(0, 1000, len(finite))
    return np.where(np.arange(len(finite)) % 2, finite.argmax(axis=1), drawn)


@pytest.fixture
def all_outputs(tmp_path, rank):
    """The log-probabilities of these outputs, through the file."""

    def through_the_file(outputs):
        with OutputsWriter(tmp_path / "o.npy", outputs.shape[1]) as writer:
            writer.add(outputs)
            writer.finish()
        return read_outputs(tmp_path / "o.npy", rank(outputs))

    return through_the_file


def naive_calibration_error(confidences, right, bins):
    """Equations 3 and 5 of Guo et al., an image at a time."""
    members = {number: [] for number in range(bins)}
    for confidence, is_right in zip(confidences, right, strict=True):
        number = next(m for m in range(bins) if confidence <= (m + 1) / bins)
        members[number].append((confidence, is_right))
    total = 0
    for inside in members.values():
        if inside:
            accuracy = sum(is_right for _, is_right in inside) / len(inside)
            total += len(inside) / len(right) * abs(accuracy - sum(c for c, _ in inside) / len(inside))
    return total


@pytest.mark.parametrize("bins", [1, 10, 15, 100])
def test_calibration_error_is_that_of_a_plain_loop(rank, finite, labels, bins):
    confidences = softmax(finite.astype(np.float64), axis=1).max(axis=1)
    expected = naive_calibration_error(confidences, finite.argmax(axis=1) == labels, bins)
    found = expected_calibration_error(rank(finite), labelled(labels), bins=bins)
    assert found == pytest.approx(expected, abs=1e-6)
    assert 0.05 < found < 0.9


@given(st.lists(st.tuples(st.floats(0, 1, width=32), st.booleans()), min_size=1, max_size=30), st.integers(1, 20))
def test_any_confidences_give_what_the_plain_loop_gives(images, bins):
    predictions = predicted_with([confidence for confidence, _ in images])
    labels = labelled([0 if is_right else 1 for _, is_right in images])
    confidences = np.exp(predictions.log_probabilities[:, 0].astype(np.float64))
    expected = naive_calibration_error(confidences, [is_right for _, is_right in images], bins)
    assert expected_calibration_error(predictions, labels, bins=bins) == pytest.approx(expected, abs=1e-12)


def test_a_calibration_error_worked_by_hand():
    # (0.9 + 0.95 sure, one right): in (14/15, 1] is 0.95, wrong; in (13/15, 14/15] is 0.9, right; 0.5 twice, one right.
    predictions = predicted_with([0.9, 0.95, 0.5, 0.5])
    found = expected_calibration_error(predictions, labelled([0, 1, 0, 1]))
    assert found == pytest.approx((0.1 + 0.95 + 0) / 4, abs=1e-7)


def test_a_confidence_of_one_is_in_the_last_bin_and_one_of_zero_in_the_first():
    bins = reliability(predicted_with([1.0, 1.0, 0.0]), labelled([0, 1, 0]))
    assert len(bins) == 15
    assert [each.samples for each in bins] == [1] + [0] * 13 + [2]
    assert (bins[-1].low, bins[-1].high, bins[-1].right, bins[-1].confidence) == (14 / 15, 1.0, 1, 1.0)
    assert (bins[0].low, bins[0].confidence, bins[0].accuracy) == (0.0, 0.0, 1.0)
    assert (bins[7].confidence, bins[7].accuracy) == (None, None)
    assert bins[-1].accuracy == 0.5
    assert [each.samples for each in reliability(predicted_with([1.0]), labelled([0]), bins=2)] == [0, 1]


def test_a_bin_includes_its_upper_edge_and_not_its_lower():
    edges = np.array([0, 0.25, 0.5, 0.75, 1])
    just_above = np.nextafter(edges[:-1], 1)
    assert bin_of(edges, edges).tolist() == [0, 0, 1, 2, 3]
    assert bin_of(just_above, edges).tolist() == [0, 1, 2, 3]


def test_sure_and_always_right_is_calibrated_and_sure_and_always_wrong_is_not():
    assert expected_calibration_error(predicted_with([1.0] * 3), labelled([0, 0, 0])) == 0
    assert expected_calibration_error(predicted_with([1.0] * 3), labelled([1, 1, 1])) == 1


def test_likelihood_is_that_of_float64_within_the_rounding_of_float16(rank, finite, labels, all_outputs):
    exact = -log_softmax(finite.astype(np.float64), axis=1)[np.arange(len(labels)), labels]
    found = negative_log_likelihood(rank(finite), labelled(labels), outputs=all_outputs(finite))
    assert abs(found - exact.mean()) <= exact.mean() * 2**-11
    assert found == pytest.approx(exact.mean(), abs=1e-4)  # roundings cancel


def test_likelihood_is_exact_without_outputs_when_the_right_classes_are_among_the_five_best(rank, finite):
    labels = np.argsort(-finite, axis=1, kind="stable")[:, 2]
    exact = -log_softmax(finite.astype(np.float64), axis=1)[np.arange(len(labels)), labels].mean()
    assert negative_log_likelihood(rank(finite), labelled(labels)) == pytest.approx(exact, rel=1e-6)
    few = negative_log_likelihood(rank(finite[:, :4]), labelled(finite[:, :4].argmin(axis=1)))
    assert few == pytest.approx(-log_softmax(finite[:, :4].astype(np.float64), axis=1).min(axis=1).mean(), rel=1e-6)


def test_without_all_outputs_there_is_no_likelihood(rank, finite, labels):
    assert negative_log_likelihood(rank(finite), labelled(labels)) is None


def test_a_likelihood_worked_by_hand(rank, all_outputs):
    probabilities = np.array([[0.5, 0.25, 0.25], [0.125, 0.75, 0.125]])
    found = negative_log_likelihood(rank(probabilities), labelled([0, 2]))
    assert found == pytest.approx((math.log(2) + math.log(8)) / 2)
    logits = np.log(np.array([[0.3, 0.2, 0.15, 0.1, 0.1, 0.1, 0.05]])) + 7
    found = negative_log_likelihood(rank(logits), labelled([6]), outputs=all_outputs(logits))
    assert found == pytest.approx(-math.log(0.05), rel=2**-11)


def test_a_right_class_of_probability_zero_is_infinitely_unlikely(rank, all_outputs):
    outputs = np.eye(7)[:1]
    assert negative_log_likelihood(rank(outputs), labelled([0])) == 0
    assert negative_log_likelihood(rank(outputs), labelled([6]), outputs=all_outputs(outputs)) == math.inf


def test_an_image_that_is_not_finite_leaves_neither_number(rank, all_outputs):
    outputs = np.array([[np.nan, 1.0], [1.0, 0.0]])
    labels = labelled([0, 1])
    assert reliability(rank(outputs), labels) is None
    assert expected_calibration_error(rank(outputs), labels) is None
    assert negative_log_likelihood(rank(outputs), labels) is None
    assert negative_log_likelihood(rank(outputs), labels, outputs=all_outputs(outputs)) is None


def test_target_maps_reach_both_numbers(rank):
    outputs, labels, around = np.array([[0.0, 2.0, 0.0], [0.0, 0.0, 3.0]]), labelled([0, 1]), [1, 2, 0]
    shifted = labelled([1, 2])
    for number in (expected_calibration_error, negative_log_likelihood, reliability):
        assert number(rank(outputs), labels, target_map=around) == number(rank(outputs), shifted)


def test_no_digit_depends_on_the_order_of_the_images(rank, finite, labels, all_outputs):
    forward, backward = rank(finite), rank(finite[::-1])
    there, back = labelled(labels), labelled(labels[::-1])
    assert reliability(forward, there) == reliability(backward, back)
    assert expected_calibration_error(forward, there) == expected_calibration_error(backward, back)
    likelihoods = [
        negative_log_likelihood(forward, there, outputs=all_outputs(finite)),
        negative_log_likelihood(backward, back, outputs=all_outputs(finite[::-1])),
    ]
    assert likelihoods[0] == likelihoods[1]


def test_outputs_of_other_predictions_are_refused(rank):
    for outputs in (np.zeros((2, 2), np.float16), np.zeros((3, 3), np.float16), np.zeros((3, 2), np.float32)):
        with pytest.raises(InvalidPredictions, match=r"float16 of shape \(3, 2\), got"):
            negative_log_likelihood(rank(np.zeros((3, 2))), labelled([0, 1, 0]), outputs=outputs)


def test_less_than_one_bin_is_refused(rank):
    with pytest.raises(ValueError, match="expected at least one bin, got 0"):
        reliability(rank(np.eye(2)), labelled([0, 1]), bins=0)


def test_five_best_that_claim_more_than_all_probability_are_refused():
    """Or a file would be given a likelihood that no model can have."""
    fields = (("a",), np.arange(5, dtype=np.int16)[None], np.zeros((1, 5), np.float32), np.zeros(1, np.float32))
    with pytest.raises(InvalidPredictions, match="expected probabilities that sum to at most 1"):
        Predictions(*fields, "logits", 10)
