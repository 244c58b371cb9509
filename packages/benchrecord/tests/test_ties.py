from itertools import combinations

import numpy as np
import pytest
from scipy.stats import binomtest

from benchrecord import InvalidPredictions, TiedGroups, tied_groups

IMAGES = 400
LABELS = {f"image-{index}": 0 for index in range(IMAGES)}


@pytest.fixture
def models(rank):
    """Predictions of models that are right on the given images."""

    def predict(*right):
        return [rank(np.eye(2)[np.where(images, 0, 1)]) for images in np.array(right)]

    return predict


def right_up_to(*counts):
    """Models of which each knows all that a worse one knows."""
    return np.arange(IMAGES) < np.array(counts)[:, None]


def test_groups_are_the_maximal_runs_by_definition(models):
    random = np.random.default_rng(9)
    difficulty = random.uniform(size=IMAGES)
    right = random.uniform(size=(12, IMAGES)) < np.linspace(0.5, 0.75, 12)[:, None] + 0.3 * (difficulty - 0.5)
    found = tied_groups(models(*right), LABELS)

    ranked = right[list(found.ranking)]
    assert np.count_nonzero(ranked, axis=1).tolist() == sorted(np.count_nonzero(right, axis=1), reverse=True)

    def all_tied(places):
        pairs = [(ranked[i] & ~ranked[j], ~ranked[i] & ranked[j]) for i, j in combinations(places, 2)]
        return all(binomtest(a.sum(), a.sum() + b.sum()).pvalue >= 0.05 for a, b in pairs)

    runs = [range(i, j) for i, j in combinations(range(13), 2) if all_tied(range(i, j))]
    maximal = [r for r in runs if not any(r != other and set(r) <= set(other) for other in runs)]
    assert list(found.groups) == maximal
    assert 1 < len(maximal) < 12


def test_a_leaderboard_worked_by_hand(models):
    # One knows all that the next knows, so a gap of 5 has p = 2/32, a tie, and a gap of 6 has p = 2/64, no tie.
    found = tied_groups(models(*right_up_to(300, 310, 305, 200)), LABELS)
    assert found.ranking == (1, 2, 0, 3)
    assert found.groups == (range(2), range(1, 3), range(3, 4))
    assert found.letters == (("a",), ("a", "b"), ("b",), ("c",))


def test_equal_models_are_tied_in_the_order_given(models):
    found = tied_groups(models(*right_up_to(7, 7, 7)), LABELS)
    assert found == TiedGroups((0, 1, 2), (range(3),))


def test_ties_do_not_depend_on_who_else_is_listed(models):
    alone = tied_groups(models(*right_up_to(310, 304)), LABELS)
    crowded = tied_groups(models(*right_up_to(310, 304, *[50] * 40)), LABELS)
    assert alone.groups == (range(1), range(1, 2))
    assert crowded.groups == (*alone.groups, range(2, 42))


def test_groups_do_not_depend_on_the_order_of_images(models, rank):
    right = right_up_to(300, 310, 305)
    backward = [rank(np.eye(2)[np.where(row[::-1], 0, 1)]) for row in right]
    assert tied_groups(backward, LABELS) == tied_groups(models(*right), LABELS)


def test_another_significance_draws_other_lines(models):
    two = models(*right_up_to(305, 300))
    assert len(tied_groups(two, LABELS).groups) == 1
    assert len(tied_groups(two, LABELS, significance=0.1).groups) == 2


def test_target_maps_and_top_reach_every_model(models):
    plain, other = models(*right_up_to(300, 0))
    found = tied_groups([plain, other], LABELS, target_maps=[None, [1, 0]])
    assert found.ranking == (1, 0)
    assert tied_groups([plain, other], LABELS, top=2).groups == (range(2),)


def test_one_model_and_none_have_one_group_and_none(models):
    assert tied_groups(models(*right_up_to(3)), LABELS) == TiedGroups((0,), (range(1),))
    assert tied_groups([], LABELS) == TiedGroups((), ())


def test_a_model_without_all_images_is_refused(models, rank):
    with pytest.raises(InvalidPredictions, match="found 397 missing"):
        tied_groups([*models(*right_up_to(3)), rank(np.eye(2)[[0, 0, 0]])], LABELS)


def test_letters_go_on_after_z():
    letters = TiedGroups(tuple(range(54)), tuple(range(place, place + 1) for place in range(54))).letters
    assert [letters[place] for place in (0, 25, 26, 27, 51, 52, 53)] == [
        ("a",), ("z",), ("aa",), ("ab",), ("az",), ("ba",), ("bb",)
    ]  # fmt: skip
