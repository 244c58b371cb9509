"""Whether 50,000 files are the validation set: by their names and contents, without any file."""

from pathlib import Path

import numpy as np
import pytest

from torchbench.dataset.found import Found
from torchbench.dataset.labels import validation_labels, wnids
from torchbench.dataset.subset import Extent, extent_of

WHOLE = Extent(True, False, ())
LABELS = np.repeat(np.arange(1000), 50)
DIGESTS = np.zeros((50_000, 32), np.uint8)
DIGESTS[:, :4] = np.arange(50_000, dtype="<u4").reshape(-1, 1).view(np.uint8)


@pytest.fixture
def extent():
    def extent(names, labels=LABELS, digests=DIGESTS):
        files = tuple(f"{wnids()[label]}/{name}" for label, name in zip(labels.tolist(), names, strict=True))
        return extent_of(Found(Path("val"), files, labels, "", ()), digests[: len(files)])

    return extent


def numbered(form):
    return [form.format(place) for place in range(50_000)]


@pytest.mark.parametrize("form", ["{}.JPEG", "photograph_{:08d}.JPEG"])
def test_fifty_of_each_class_are_the_whole_set_whatever_their_names(extent, form):
    assert extent(numbered(form)) == WHOLE


def test_the_official_names_vouch_for_the_whole_set(extent):
    order = np.argsort(validation_labels(), kind="stable")
    names = [f"ILSVRC2012_val_{number + 1:08d}.JPEG" for number in order]
    assert extent(names, validation_labels()[order], np.zeros_like(DIGESTS)) == WHOLE


def test_held_out_training_images_are_not_the_validation_set(extent):
    names = [f"{wnids()[label]}_{100 + place}.JPEG" for place, label in enumerate(LABELS)]
    found = extent(names)
    assert (found.complete, found.foreign) == (False, True)
    assert "50,000 of 50,000 files are named like training images" in found.sentences[0]
    names = ["a.JPEG", *names[1:]]
    assert not extent(names).complete, "also where the first one has another name"


def test_official_numbers_that_are_there_twice_are_not_the_validation_set(extent):
    names = [f"ILSVRC2012_val_{place + 1:08d}.JPEG" for place in range(49_999)]
    found = extent([*names, "ILSVRC2012_val_00049999.jpg"])
    assert (found.complete, found.foreign) == (False, True)
    assert "1 validation image is there more than once" in found.sentences[0]


def test_twenty_five_images_twice_in_every_class_are_not_the_validation_set(extent):
    found = extent(numbered("{}.JPEG"), digests=DIGESTS // np.array([2] + [1] * 31, np.uint8))
    assert (found.complete, found.foreign) == (False, True)
    assert "25,000 of 50,000 files are copies of others" in found.sentences[0]


def test_a_few_equal_files_may_be_the_sets_own(extent):
    digests = DIGESTS.copy()
    digests[1:300] = digests[0]
    assert extent(numbered("{}.JPEG"), digests=digests).complete


def test_more_than_fifty_of_a_class_are_foreign_however_few_there_are(extent):
    found = extent(numbered("{}.JPEG")[:51], np.zeros(51, np.int64))
    assert (found.complete, found.foreign) == (False, True)
    assert "51 images of class 0" in found.sentences[0]


def test_a_subset_is_not_foreign(extent):
    assert not extent(numbered("{}.JPEG")[:100], LABELS[:100]).foreign
