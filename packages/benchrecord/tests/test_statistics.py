import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest

from benchrecord import wilson_interval


@given(st.integers(1, 60_000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))), st.floats(0.5, 0.999))
def test_interval_is_scipys(counts, confidence):
    successes, trials = counts
    expected = binomtest(successes, trials).proportion_ci(confidence, method="wilson")
    assert wilson_interval(successes, trials, confidence) == pytest.approx((expected.low, expected.high), abs=1e-12)


def test_interval_of_a_case_worked_by_hand():
    # z = 1.96, p = 0.8, n = 10: (0.8 + z^2/20 -+ z sqrt(0.016 + z^2/400)) / (1 + z^2/10)
    assert wilson_interval(8, 10) == pytest.approx((0.4902, 0.9433), abs=1e-4)


@pytest.mark.parametrize("trials", [1, 3, 7, 110, 50_000])
def test_nothing_right_starts_at_exactly_zero_and_all_right_ends_at_exactly_one(trials):
    assert wilson_interval(0, trials)[0] == 0.0
    assert wilson_interval(trials, trials)[1] == 1.0


@given(st.integers(1, 60_000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_interval_holds_its_proportion_and_stays_a_fraction(counts):
    low, high = wilson_interval(*counts)
    assert 0 <= low <= counts[0] / counts[1] <= high <= 1


@pytest.mark.parametrize("counts", [(0, 0), (-1, 5), (6, 5), (0, -1)])
def test_impossible_counts_are_refused(counts):
    with pytest.raises(ValueError, match=f"got {counts[0]} of {counts[1]}"):
        wilson_interval(*counts)


@pytest.mark.parametrize("confidence", [0, 1, 95, -0.5, float("nan")])
def test_confidence_in_percent_is_refused(confidence):
    with pytest.raises(ValueError, match=r"between 0 and 1, such as 0\.95"):
        wilson_interval(1, 2, confidence)
