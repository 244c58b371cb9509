"""Outputs ranked among some classes while they come in, and predictions for some of the images."""

import numpy as np
import pytest
from scipy.special import log_softmax, logsumexp, softmax

from benchrecord import InvalidPredictions, PredictionsBuilder, selected

KEPT = (7, 1, 4, 900, 33, 512, 20)


def ranked(outputs, kept=KEPT, batch_size=64):
    builder = PredictionsBuilder(outputs.shape[1], kept=kept)
    for start in range(0, len(outputs), batch_size):
        batch = outputs[start : start + batch_size]
        builder.add([f"image-{start + row}" for row in range(len(batch))], batch)
    return builder.finish()


def test_the_five_best_are_those_of_the_kept_outputs_by_themselves(random_outputs):
    found, columns = ranked(random_outputs), sorted(KEPT)
    finite = np.isfinite(random_outputs).all(axis=1)
    for row in np.flatnonzero(finite):
        best = sorted(columns, key=lambda column: (-random_outputs[row, column], column))[:5]
        assert found.classes[row].tolist() == best
    assert (found.classes[~finite] == -1).all(), "a class that was left out and is NaN makes the image wrong too"
    assert found.number_of_classes == 1000


def test_log_probabilities_are_those_among_the_kept_classes(random_outputs):
    outputs = random_outputs[20:].astype(np.float64)
    found, kept = ranked(outputs), outputs[:, sorted(KEPT)]
    place = np.searchsorted(sorted(KEPT), found.classes)
    expected = np.take_along_axis(log_softmax(kept, axis=1), place, axis=1)
    np.testing.assert_allclose(found.log_probabilities, expected, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(found.log_sum_exp, logsumexp(kept, axis=1), rtol=1e-6)


def test_probabilities_are_shared_out_anew_among_the_kept_classes(random_outputs):
    outputs = random_outputs[20:].astype(np.float64)
    found, whole = ranked(softmax(outputs, axis=1)), ranked(outputs)
    assert (found.kind, whole.kind) == ("probabilities", "logits")
    assert np.array_equal(found.classes, whole.classes)
    np.testing.assert_allclose(found.log_probabilities, whole.log_probabilities, rtol=1e-5, atol=1e-5)


def test_a_case_by_hand():
    outputs = np.array([[0.5, 0.1, 0.05, 0.05, 0.1, 0.0, 0.2], [1, 0, 0, 0, 0, 0, 0]], np.float64)
    found = ranked(outputs, kept=(6, 5, 4, 2, 1))
    assert found.classes.tolist() == [[6, 1, 4, 2, 5], [1, 2, 4, 5, 6]]
    shares = np.exp(found.log_probabilities[0].astype(np.float64))
    np.testing.assert_allclose(shares, [0.2 / 0.45, 0.1 / 0.45, 0.1 / 0.45, 0.05 / 0.45, 0], rtol=1e-6)
    assert (found.log_probabilities[1] == -np.inf).all(), "nothing is left for the kept classes"


@pytest.mark.parametrize("batch_size", [1, 7, 1000])
def test_the_batch_size_changes_no_bit(random_outputs, batch_size):
    whole, parts = ranked(random_outputs), ranked(random_outputs, batch_size=batch_size)
    assert np.array_equal(whole.classes, parts.classes)
    assert np.array_equal(whole.log_probabilities, parts.log_probabilities)
    assert np.array_equal(whole.log_sum_exp, parts.log_sum_exp, equal_nan=True)


def test_keeping_every_class_is_keeping_none_out(random_outputs, rank):
    all_kept, plain = ranked(random_outputs, kept=range(1000)), rank(random_outputs)
    assert np.array_equal(all_kept.classes, plain.classes)
    assert np.array_equal(all_kept.log_probabilities, plain.log_probabilities)


@pytest.mark.parametrize("kept", [(1, 2, 3, 4), (1, 1, 2, 3, 4, 5), (1, 2, 3, 4, 1000), (-1, 2, 3, 4, 5)])
def test_kept_classes_are_five_different_ones_at_least(kept):
    with pytest.raises(InvalidPredictions, match="at least 5 different classes of 0 to 999"):
        PredictionsBuilder(1000, kept=kept)


def test_shares_with_other_kept_classes_are_not_joined():
    builder = PredictionsBuilder(1000, kept=KEPT)
    builder.extend(PredictionsBuilder(1000, kept=sorted(KEPT)))
    for other in (PredictionsBuilder(1000), PredictionsBuilder(1000, kept=range(5))):
        with pytest.raises(InvalidPredictions, match="keeps the same classes"):
            builder.extend(other)


def test_some_images_are_selected_in_the_order_of_the_predictions(random_outputs, rank):
    predictions = rank(random_outputs)
    some = selected(predictions, ["image-30", "image-12", "image-2"])
    assert some.ids == ("image-2", "image-12", "image-30")
    assert np.array_equal(some.classes, predictions.classes[[2, 12, 30]])
    assert np.array_equal(some.log_sum_exp, predictions.log_sum_exp[[2, 12, 30]], equal_nan=True)
    assert selected(predictions, predictions.ids) is predictions
    with pytest.raises(InvalidPredictions, match="1 unknown"):
        selected(predictions, ["image-2", "another"])
