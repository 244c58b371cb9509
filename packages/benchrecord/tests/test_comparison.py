import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest, bootstrap

from benchrecord import Comparison, InvalidPredictions, compare, mcnemar_p_value


@pytest.fixture
def labels():
    return {f"image-{index}": int(label) for index, label in enumerate(np.random.default_rng(3).integers(0, 8, 300))}


@pytest.fixture
def two_models(rank, labels):
    """Outputs of two models of which the second knows a little more, with an image that is not finite in each."""
    random = np.random.default_rng(5)
    outputs = random.normal(size=(2, 300, 8))
    outputs[:, np.arange(300), list(labels.values())] += np.array([[0.8], [1.4]])
    outputs[0, 7, 0], outputs[1, 11, 2] = np.nan, np.inf
    return outputs


@given(st.integers(0, 400), st.integers(0, 400))
def test_p_value_is_scipys_exact_binomial_test(first, second):
    expected = binomtest(first, first + second).pvalue if first + second else 1.0
    assert mcnemar_p_value(first, second) == pytest.approx(expected, rel=1e-10)


@pytest.mark.parametrize("counts", [(24_500, 25_500), (25_000, 25_000), (1_900, 2_117), (2_117, 1_900), (0, 1_000)])
def test_p_value_of_fifty_thousand_images_neither_overflows_nor_drifts(counts):
    assert mcnemar_p_value(*counts) == pytest.approx(binomtest(counts[0], sum(counts)).pvalue, rel=1e-9)
    assert mcnemar_p_value(0, 50_000) == 0.0


def test_a_p_value_worked_by_hand():
    # 12 images tell the two apart, 3 to 9: 2 * (1 + 12 + 66 + 220) / 4096
    assert mcnemar_p_value(3, 9) == pytest.approx(598 / 4096, rel=1e-14)
    assert mcnemar_p_value(0, 5) == pytest.approx(1 / 16, rel=1e-14)
    assert mcnemar_p_value(0, 0) == 1.0


def test_negative_counts_are_refused():
    with pytest.raises(ValueError, match="expected counts of images, got -1 and 3"):
        mcnemar_p_value(-1, 3)
    with pytest.raises(ValueError, match="expected counts of at least one image"):
        Comparison(1, -1, 0, 5)
    with pytest.raises(ValueError, match="expected counts of at least one image"):
        Comparison(0, 0, 0, 0)


@pytest.mark.parametrize("top", [1, 5])
def test_the_four_counts_are_those_of_a_plain_loop(rank, two_models, labels, top):
    counts = {(True, True): 0, (True, False): 0, (False, True): 0, (False, False): 0}
    for image, label in enumerate(labels.values()):
        rows = two_models[:, image]
        counts[tuple(bool(np.isfinite(row).all() and label in np.argsort(-row)[:top]) for row in rows)] += 1
    found = compare(*map(rank, two_models), labels, top=top)
    assert found == Comparison(*counts.values())
    assert min(counts.values()) > 0
    assert found.difference == pytest.approx((counts[True, False] - counts[False, True]) / 300)


def test_a_comparison_worked_by_hand(rank):
    labels = {"image-0": 0, "image-1": 1, "image-2": 2, "image-3": 0}
    first, second = rank(np.eye(3)[[0, 1, 2, 1]]), rank(np.eye(3)[[0, 2, 1, 0]])
    found = compare(first, second, labels)
    assert found == Comparison(both=1, only_first=2, only_second=1, neither=0)
    assert (found.samples, found.difference, found.p_value) == (4, 0.25, 1.0)


def test_counts_do_not_depend_on_the_order_of_images_of_either_model_or_of_the_labels(rank, two_models, labels):
    expected = compare(*map(rank, two_models), labels)
    backward = reorder(rank(two_models[1]), range(299, -1, -1))
    shuffled = dict(sorted(labels.items()))
    assert compare(rank(two_models[0]), backward, shuffled) == expected


def reorder(predictions, order):
    order = list(order)
    arrays = (predictions.classes, predictions.log_probabilities, predictions.log_sum_exp)
    ids = tuple(predictions.ids[place] for place in order)
    return type(predictions)(ids, *(a[order] for a in arrays), predictions.kind, predictions.number_of_classes)


def test_swapping_the_models_mirrors_the_comparison(rank, two_models, labels):
    there, back = compare(*map(rank, two_models), labels), compare(*map(rank, two_models[::-1]), labels)
    assert (there.only_first, there.only_second) == (back.only_second, back.only_first)
    assert there.difference == -back.difference
    assert there.p_value == back.p_value


def test_each_model_is_scored_through_its_own_target_map(rank):
    labels = {"image-0": 0, "image-1": 1, "image-2": 2}
    plain, shifted = rank(np.eye(3)), rank(np.eye(3)[[1, 2, 0]])
    assert compare(plain, shifted, labels).both == 0
    assert compare(plain, shifted, labels, target_maps=(None, [1, 2, 0])).both == 3


def test_images_that_one_model_lacks_are_named_with_their_side(rank):
    labels = {"image-0": 0, "image-1": 1, "image-2": 2}
    expected = r"found 1 missing from the first \(such as 'image-2'\) and 0 missing from the second; compare"
    with pytest.raises(InvalidPredictions, match=expected):
        compare(rank(np.eye(3)[:2]), rank(np.eye(3)), labels)
    with pytest.raises(InvalidPredictions, match="found 0 missing from the first and 1 missing from the second"):
        compare(rank(np.eye(3)), rank(np.eye(3)[:2]), labels)


def test_images_without_a_label_and_labels_without_an_image_are_refused(rank):
    with pytest.raises(InvalidPredictions, match="expected predictions for exactly 2 images, found 0 missing and 1"):
        compare(rank(np.eye(3)), rank(np.eye(3)), {"image-0": 0, "image-1": 1})


def test_the_interval_is_that_of_a_bootstrap_over_images():
    """Against scipy's, which draws the images themselves; both are random, so they agree within their own noise."""
    found = Comparison(both=300, only_first=60, only_second=35, neither=105)
    first = np.repeat([1.0, 1.0, 0.0, 0.0], [300, 60, 35, 105])
    second = np.repeat([1.0, 0.0, 1.0, 0.0], [300, 60, 35, 105])
    expected = bootstrap(
        (first, second), lambda a, b, axis: (a - b).mean(axis=axis), paired=True, vectorized=True,
        method="percentile", n_resamples=10_000, batch=1_000, rng=np.random.default_rng(1),
    ).confidence_interval  # fmt: skip
    assert found.interval() == pytest.approx((expected.low, expected.high), abs=0.003)
    # ... and the normal approximation of the difference, whose variance is (b + c - (b - c)^2 / n) / n^2
    half = 1.96 * np.sqrt(95 - 25**2 / 500) / 500
    assert found.interval() == pytest.approx((0.05 - half, 0.05 + half), abs=0.003)


def test_the_interval_is_repeatable_and_narrows_with_less_confidence():
    found = Comparison(both=30_000, only_first=1_600, only_second=1_400, neither=17_000)
    assert found.interval() == found.interval(seed=0, draws=10_000, confidence=0.95)
    assert found.interval() != found.interval(seed=1)
    low, high = found.interval(confidence=0.5)
    assert found.interval()[0] < low < found.difference < high < found.interval()[1]


def test_models_that_are_never_told_apart_have_an_interval_of_nothing():
    assert Comparison(both=7, only_first=0, only_second=0, neither=3).interval() == (0.0, 0.0)


@pytest.mark.parametrize("wrong", [{"confidence": 95}, {"confidence": 0}, {"draws": 0}])
def test_impossible_intervals_are_refused(wrong):
    with pytest.raises(ValueError, match="expected a confidence between 0 and 1 and at least one draw"):
        Comparison(1, 1, 1, 1).interval(**wrong)
