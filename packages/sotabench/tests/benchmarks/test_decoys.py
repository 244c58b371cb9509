"""What a copy's numbers and folders are drawn from, and what they do not tell."""

import hashlib
import random
from collections import Counter
from dataclasses import replace

import pytest

from sotabench.server.benchmarks.decoys import Image, placed

CLASSES = [f"n{number:08d}" for number in range(1000)]


@pytest.fixture
def images():
    """Three hundred images; class `k` has one to five."""
    labels = [label for label in range(100) for _ in range(1 + label % 5)]
    return [Image(f"id-{at:03d}", f"{at}.JPEG", label, digest(at)) for at, label in enumerate(labels)]


def digest(at):
    return hashlib.sha256(str(at).encode()).hexdigest()


def where(images, secret="a secret"):  # noqa: S107 - of this test
    return {each.image.sha256: (each.seen, each.folder) for each in placed(images, CLASSES, secret=secret)}


def test_numbers_are_all_from_one_on_and_folders_keep_the_sizes_of_the_classes(images):
    drawn = placed(images, CLASSES, secret="a secret")
    assert [each.seen for each in drawn] == [f"ILSVRC2012_val_{number:08d}" for number in range(1, 301)]
    sizes = Counter(Counter(image.label for image in images).values())
    assert Counter(Counter(each.folder for each in drawn).values()) == sizes
    assert {each.path for each in drawn} == {f"val/{each.folder}/{each.seen}.JPEG" for each in drawn}


def test_copy_is_the_same_whatever_the_images_show(images):
    """The strongest form of "tells nothing": change every label, keep the sizes, and not a byte of the copy changes."""
    labels = [image.label for image in images]
    random.Random(7).shuffle(labels)  # noqa: S311 - of this test
    other = [replace(image, label=999 - label) for image, label in zip(images, labels, strict=True)]
    assert where(other) == where(images)


def test_copy_is_the_same_from_any_layout_and_in_any_order(images):
    other = [replace(image, id=f"n/{image.id}", file=f"flat/{image.file}") for image in reversed(images)]
    assert where(other) == where(images)


def test_another_secret_draws_another_copy(images):
    one, other = where(images), where(images, "another")
    assert sum(one[name] == other[name] for name in one) < 5


def test_images_with_the_same_bytes_have_a_number_each(images):
    twins = [*images, replace(images[0], id="twin", label=5)]
    drawn = placed(twins, CLASSES, secret="a secret")
    assert len({each.seen for each in drawn}) == 301


def test_few_images_do_not_tell_which_classes_there_are():
    few = [Image(f"{at}", f"{at}.JPEG", 10 * at, digest(at)) for at in range(20)]
    folders = {each.folder for each in placed(few, CLASSES, secret="a secret")}
    assert len(folders) == 20
    assert len(folders & {CLASSES[10 * at] for at in range(20)}) < 5  # 0.4 are expected by chance
