import numpy as np
import pytest
import torch

from torchbench.diagnosis import (
    class_order_hints,
    collapse_hint,
    input_hints,
    is_near_chance,
    probe_indices,
)

CLASSES = 1000
LABELS = np.random.default_rng(0).integers(0, CLASSES, 6000)
NOISE = np.random.default_rng(1).integers(0, CLASSES, 6000)


def mostly(right):
    """Answers of which four in five are `right`."""
    return np.where(np.arange(len(right)) % 5 == 0, NOISE, right)


@pytest.mark.parametrize(
    ("correct", "samples", "classes", "near"),
    [
        (50, 50_000, 1000, True),
        (90, 50_000, 1000, True),
        (150, 50_000, 1000, False),
        (0, 20, 1000, True),
        (5, 20, 1000, False),
        (0, 3, 1000, False),
        (1_000, 10_000, 10, True),
        (5_000, 10_000, 10, False),
    ],
)
def test_what_counts_as_guessing(correct, samples, classes, near):
    assert is_near_chance(correct, samples, classes) is near


def test_a_background_class_is_recognised():
    (hint,) = class_order_hints(mostly(LABELS + 1), LABELS, CLASSES)
    assert "80" in hint
    assert "background class at index 0" in hint


def test_a_missing_first_class_is_recognised():
    (hint,) = class_order_hints(mostly(LABELS - 1), LABELS, CLASSES)
    assert "lack their first class" in hint


def test_folders_sorted_as_text_are_recognised():
    position = {int(name): place for place, name in enumerate(sorted(map(str, range(CLASSES))))}
    best = np.array([position[label] for label in LABELS])
    (hint,) = class_order_hints(mostly(best), LABELS, CLASSES)
    assert "'0', '1', '10', '100'" in hint


def test_any_other_order_of_the_classes_is_recognised_from_the_answers_alone():
    shuffled = np.random.default_rng(2).permutation(CLASSES)
    (hint,) = class_order_hints(mostly(shuffled[LABELS]), LABELS, CLASSES)
    assert "another order than the sorted WordNet ids" in hint


@pytest.mark.parametrize("best", [NOISE, np.full_like(NOISE, 7), np.full_like(NOISE, -1)])
def test_no_order_is_claimed_for_answers_that_follow_none(best):
    assert class_order_hints(best, LABELS, CLASSES) == []


def test_one_answer_for_nearly_everything_is_said():
    assert collapse_hint(np.array([7] * 9 + [3])) == ["class 7 is the answer for 90% of the images"]
    assert collapse_hint(NOISE) == []


IMAGES = torch.rand(40, 3, 8, 8, generator=torch.Generator().manual_seed(3))
ANSWERS = torch.arange(40)
MEAN, STD = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])


def recogniser(prepare):
    """A model that knows each of IMAGES when it is prepared rightly: nearest neighbour."""
    known = prepare(IMAGES).flatten(1)

    def predict(images, _):
        return -torch.cdist(images.flatten(1), known)

    return predict


def normalise(images):
    return (images - MEAN.reshape(3, 1, 1)) / STD.reshape(3, 1, 1)


@pytest.mark.parametrize(
    ("model_wants", "given", "words"),
    [
        (lambda images: images.flip(1), IMAGES, "BGR in place of RGB"),
        (normalise, IMAGES, "ImageNet's mean and standard deviation"),
        (lambda images: images * 2 - 1, IMAGES, "mean and standard deviation 0.5"),
        (lambda images: images, normalise(IMAGES), "without Normalize"),
        (lambda images: images * 255, normalise(IMAGES), "scaled to 0...255"),
    ],
)
def test_the_change_of_input_that_helps_is_named(model_wants, given, words):
    hints = input_hints(recogniser(model_wants), given, ANSWERS)
    assert any(words in hint for hint in hints)
    assert all("change input_transform" in hint for hint in hints)


def test_nothing_is_claimed_about_the_input_of_a_model_that_guesses():
    guesses = torch.rand(40, CLASSES, generator=torch.Generator().manual_seed(4))
    assert input_hints(lambda images, _: guesses, IMAGES, ANSWERS) == []


def test_inputs_that_are_no_colour_images_are_not_guessed_about():
    assert input_hints(recogniser(lambda images: images), torch.zeros(4, 10), torch.arange(4)) == []
    assert input_hints(recogniser(lambda images: images), torch.zeros(4, 1, 8, 8), torch.arange(4)) == []


def test_the_second_look_is_spread_over_the_set_and_bounded_in_time():
    assert probe_indices(50_000, model_seconds=5.0) == np.linspace(0, 49_999, 64).astype(int).tolist()
    assert len(probe_indices(110, model_seconds=30.0)) == 12
    assert probe_indices(110, model_seconds=1000.0) == []
    assert probe_indices(9, model_seconds=0.1) == list(range(9))
