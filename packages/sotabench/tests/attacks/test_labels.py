"""ImageNet's labels are public. Who knows them by file name, folder or order gains nothing; by pixels, everything."""

import hashlib
import random
from pathlib import Path

import numpy as np
import pytest

from sotabench.server.benchmarks.decoys import Image, placed
from sotabench.server.benchmarks.labels import set_labels
from sotabench.server.benchmarks.models import Benchmark, DataCopy, Tier
from sotabench.server.benchmarks.numbers import Numbered, keep_numbers
from sotabench.server.benchmarks.scoring import score_call
from sotabench.server.benchmarks.services import benchmark_of

pytestmark = pytest.mark.django_db

MANY = 4000
MOST_BY_CHANCE = 20  # right of 4,000, where 4 are expected: more happens once in ten million million times
CLASSES = [f"n{10_000_000 + label:08d}" for label in range(1000)]
DOCS = Path(__file__).resolve().parents[4] / "docs"


@pytest.fixture
def images():
    """Named as the official images are, of whose labels everybody has a table."""
    labels = list(range(1000)) * 4
    random.Random(1).shuffle(labels)  # noqa: S311 - of this test
    return [
        Image(f"ILSVRC2012_val_{at:08d}", f"{at}.JPEG", label, hashlib.sha256(f"pixels of {at}".encode()).hexdigest())
        for at, label in enumerate(labels, 1)
    ]


@pytest.fixture
def drawn(images, benchmarks):
    """What a build sees, and this site's copy of it."""
    seen = placed(images, CLASSES, secret="of this site")
    facts = {"samples": MANY, "fingerprint": "d" * 64, "complete": False}
    benchmark = benchmark_of({"task": "Image Classification", "dataset_name": "ImageNet", "dataset": facts})
    Benchmark.objects.filter(pk=benchmark.pk).update(size=MANY)
    benchmark.refresh_from_db()
    rows = "".join(f"{image.id},{image.label}\n" for image in images)
    set_labels(benchmark, f"id,class_index\n{rows}".encode())
    DataCopy.objects.create(
        benchmark=benchmark,
        dataset_name="ImageNet",
        folder="copies/many",
        numbers=keep_numbers(Numbered(each.seen, each.image.id, each.image.sha256) for each in seen),
        fingerprint="d" * 64,
        samples=MANY,
    )
    return seen


@pytest.fixture
def say(a_build, answers, drawn):
    """Scores a process that says these classes of the images it sees, in their order; how many were right."""

    def said(classes):
        values = np.zeros((MANY, 1000), np.float32)
        values[range(MANY), list(classes)] = 1
        result = score_call(a_build(), *answers(ids=[each.seen for each in drawn], values=values))
        return round(result.rank_value * MANY), result

    return said


def test_labels_by_the_name_of_the_file(say, drawn, images):
    table = {image.id: image.label for image in images}
    right, _ = say(table[each.seen] for each in drawn)
    print(f"stopped by the numbers of this site: {right} of {MANY} right; {MANY // 1000} are expected by chance")
    assert right <= MOST_BY_CHANCE


def test_labels_by_the_folder(say, drawn):
    right, _ = say(CLASSES.index(each.folder) for each in drawn)
    print(f"stopped by folders that are decoys: {right} of {MANY} right")
    assert right <= MOST_BY_CHANCE


def test_labels_by_the_order_of_folders_and_names(say, drawn):
    order = sorted(range(MANY), key=lambda row: (drawn[row].folder, drawn[row].seen))
    said = {row: place // 4 for place, row in enumerate(order)}
    right, _ = say(said[row] for row in range(MANY))
    print(f"stopped by folders that are drawn by lot: {right} of {MANY} right")
    assert right <= MOST_BY_CHANCE


def test_labels_by_the_name_under_another_sites_secret(say, drawn, images):
    theirs = {each.seen: each.image.label for each in placed(images, CLASSES, secret="of another site")}
    right, _ = say(theirs[each.seen] for each in drawn)
    print(f"stopped by a secret of each site: {right} of {MANY} right")
    assert right <= MOST_BY_CHANCE


def test_classes_that_a_small_copy_has(images):
    few = images[:20]
    folders = {each.folder for each in placed(few, CLASSES, secret="of this site")}
    known = folders & {CLASSES[image.label] for image in few}
    print(f"stopped by folders that are drawn from all classes: {len(known)} of 20 folders are a class that is there")
    assert len(known) <= 4


def test_labels_by_pixels_are_not_stopped_and_the_tier_does_not_say_that_they_are(say, drawn, images):
    table = {image.sha256: image.label for image in images}
    right, result = say(table[each.image.sha256] for each in drawn)
    print(f"NOT stopped: {right} of {MANY} right by a table from pixels to labels, since the labels are public")
    assert right == MANY
    assert Tier(result.tier).label == "run and scored by this site"
    assert "sealed" not in Tier.VERIFIED.label
    page = (DOCS / "site" / "running.md").read_text()
    assert "What it does not stop is a table from pixels to labels" in page
