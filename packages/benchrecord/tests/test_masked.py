import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import log_softmax, logsumexp, softmax

from benchrecord import (
    InvalidPredictions,
    OutputsWriter,
    PredictionsBuilder,
    expected_calibration_error,
    masked_predictions,
    read_outputs,
    score,
)


@pytest.fixture
def through_files(tmp_path, rank):
    """A model's predictions and all its outputs, the latter as they come out of the file."""

    def both(outputs):
        with OutputsWriter(tmp_path / "o.npy", outputs.shape[1]) as writer:
            writer.add(outputs)
            writer.finish()
        return rank(outputs), read_outputs(tmp_path / "o.npy", rank(outputs))

    return both


@pytest.fixture
def subset():
    return np.random.default_rng(8).choice(1000, size=200, replace=False).tolist()


def by_definition(outputs, subset):
    """The best class of every image as the authors find it: drop the other outputs, take the best of the rest."""
    kept = np.array(sorted(subset))
    return np.where(np.isfinite(outputs).all(axis=1), kept[outputs[:, kept].argmax(axis=1)], -1)


def test_the_best_class_is_that_of_the_outputs_that_are_kept(through_files, random_outputs, subset):
    masked = masked_predictions(*through_files(random_outputs), subset)
    differ = np.flatnonzero(masked.predictions.classes[:, 0] != by_definition(random_outputs, subset))
    assert len(differ) <= masked.undecided
    assert masked.undecided < 40  # of 1,000 images that show nothing at all: float16 merges a few near ties
    assert masked.predictions.nonfinite == 3


def test_a_class_among_the_five_best_is_found_exactly(through_files, random_outputs, subset):
    random_outputs[:, sorted(subset)[7]] += 20
    random_outputs[:, sorted(subset)[9]] += 20
    masked = masked_predictions(*through_files(random_outputs), subset)
    assert masked.undecided == 0
    assert masked.predictions.classes[:, 0].tolist() == by_definition(random_outputs, subset).tolist()


@settings(deadline=None)
@given(st.integers(0, 10_000), st.sampled_from([np.float32, np.float64]), st.booleans())
def test_kept_classes_of_the_five_best_stay_first_and_in_order(tmp_path_factory, seed, dtype, probabilities):
    """Outputs so close that float16 and float32 merge them, with real ties among them."""
    random = np.random.default_rng(seed)
    outputs = random.choice([0, 1e-9, 1e-7, 1e-4, 0.5], size=(20, 12)) + random.choice([0, 3.0], size=(20, 12))
    outputs = (softmax(outputs, axis=1) if probabilities else outputs).astype(dtype)
    subset = random.choice(12, size=random.integers(5, 13), replace=False).tolist()
    builder = PredictionsBuilder(12)
    builder.add([f"image-{row}" for row in range(20)], outputs)
    predictions = builder.finish()
    path = tmp_path_factory.mktemp("masked") / "o.npy"
    with OutputsWriter(path, 12) as writer:
        writer.add(outputs)
        writer.finish()
    found = masked_predictions(predictions, read_outputs(path, predictions), subset).predictions
    for row, best in enumerate(predictions.classes.tolist()):
        among = [label for label in best if label in subset]
        ranked = found.classes[row].tolist()
        assert ranked[: len(among)] == among
        assert set(ranked) <= set(subset)


def test_all_classes_kept_change_no_ranking(through_files, random_outputs):
    predictions, outputs = through_files(random_outputs)
    masked = masked_predictions(predictions, outputs, range(1000))
    assert masked.undecided == 0
    assert masked.predictions.classes.tolist() == predictions.classes.tolist()
    found, expected = masked.predictions.log_probabilities, predictions.log_probabilities
    assert np.allclose(found, expected, atol=2e-3)


def test_probabilities_are_those_among_the_kept_classes(through_files, random_outputs, subset):
    finite = np.delete(random_outputs, [12, 13, 14], axis=0).astype(np.float64)
    found = masked_predictions(*through_files(finite), subset).predictions
    kept = log_softmax(finite[:, sorted(subset)], axis=1)
    assert np.allclose(found.log_probabilities[:, 0], kept.max(axis=1), atol=0.01)
    mass = logsumexp(log_softmax(finite, axis=1)[:, sorted(subset)], axis=1)
    assert np.allclose(found.log_sum_exp, mass, atol=0.005)
    labels = {name: int(label) for name, label in zip(found.ids, found.classes[:, 0], strict=True)}
    sure = np.exp(kept.max(axis=1))
    assert expected_calibration_error(found, labels) == pytest.approx(1 - sure.mean(), abs=1e-3)


def test_a_control_worked_by_hand(through_files):
    outputs = np.log(
        [
            [0.30, 0.02, 0.15, 0.05, 0.12, 0.06, 0.10, 0.20],  # 0 is dropped: 7 leads the kept ones
            [0.30, 0.02, 0.01, 0.25, 0.20, 0.12, 0.07, 0.03],  # 3 is the best of all kept ones
            [0.02, 0.90, 0.02, 0.02, 0.01, 0.01, 0.01, 0.01],  # 1 is dropped: 2 and 3 are equal, the lowest wins
        ]
    )
    predictions, all_outputs = through_files(outputs)
    masked = masked_predictions(predictions, all_outputs, {7, 6, 5, 4, 3, 2})
    assert masked.predictions.classes.tolist() == [[7, 2, 4, 6, 5], [3, 4, 5, 6, 7], [2, 3, 4, 5, 6]]
    assert masked.undecided == 0  # 2 and 3 are among the five best of all, which are exact
    assert score(masked.predictions, {"image-0": 7, "image-1": 4, "image-2": 2}).correct["Top 1 Accuracy"] == 2


def test_classes_that_float16_cannot_tell_apart_are_counted(through_files):
    outputs = np.array([[5, 5, 5, 5, 5, 0, 1e-5, -1, -2, -3], [5, 5, 5, 5, 5, 0, 0.5, -1, -2, -3]])
    masked = masked_predictions(*through_files(outputs), range(5, 10))
    assert masked.undecided == 1
    assert masked.predictions.classes[:, 0].tolist() == [5, 6]


def test_only_the_chosen_images_are_kept(through_files, random_outputs, subset):
    predictions, outputs = through_files(random_outputs)
    labels = {
        name: int(label) for name, label in zip(predictions.ids, by_definition(random_outputs, subset), strict=True)
    }
    clean = {name: labels[name] for name in ["image-700", "image-3", "image-41"]}
    masked = masked_predictions(predictions, outputs, subset, images=clean)
    assert masked.predictions.ids == ("image-3", "image-41", "image-700")
    everything = masked_predictions(predictions, outputs, subset).predictions
    assert masked.predictions.classes.tolist() == everything.classes[[3, 41, 700]].tolist()
    assert score(masked.predictions, clean).samples == 3


def test_nothing_depends_on_the_order_of_images_or_classes(through_files, random_outputs, subset):
    forward = masked_predictions(*through_files(random_outputs), subset)
    backward = masked_predictions(*through_files(random_outputs[::-1]), subset[::-1])
    assert forward.undecided == backward.undecided
    for name in ("classes", "log_probabilities", "log_sum_exp"):
        assert getattr(forward.predictions, name).tobytes() == getattr(backward.predictions, name)[::-1].tobytes()


def test_probabilities_of_zero_are_ranked_last_by_class(through_files):
    outputs = np.zeros((2, 10))
    outputs[:, 1] = 1
    masked = masked_predictions(*through_files(outputs), range(2, 10))
    assert masked.predictions.classes.tolist() == [[2, 3, 4, 5, 6]] * 2
    assert masked.predictions.log_probabilities[0, 0] == pytest.approx(-np.log(8))


@pytest.mark.parametrize(
    "classes", [[], range(4), [0, 1, 2, 3, 3], [0, 1, 2, 3, 10], [-1, 0, 1, 2, 3], [1, 1, 2, 3, 4, 5]]
)
def test_too_few_repeated_and_unknown_classes_are_refused(through_files, classes):
    with pytest.raises(InvalidPredictions, match="expected at least 5 different classes of 0 to 9, found"):
        masked_predictions(*through_files(np.eye(10)), classes)


def test_images_that_were_not_predicted_are_refused(through_files):
    with pytest.raises(InvalidPredictions, match=r"images that were predicted, found 1 unknown \(such as 'lost'\)"):
        masked_predictions(*through_files(np.eye(10)), range(5), images=["image-1", "lost"])


def test_outputs_of_other_predictions_are_refused(through_files, rank):
    _, outputs = through_files(np.eye(10))
    with pytest.raises(InvalidPredictions, match=r"outputs of the same predictions, float16 of shape \(5, 10"):
        masked_predictions(rank(np.eye(10)[:5]), outputs, range(5))
