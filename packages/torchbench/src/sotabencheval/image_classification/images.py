"""Which images an evaluator asks about, and their labels: from the data at hand, else by image number."""

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from sotabencheval.answers import Answered
from torchbench.benchmark import nonfinite_note
from torchbench.dataset import TestSet
from torchbench.dataset.imagenet import VALIDATION_ARCHIVE
from torchbench.dataset.labels import VALIDATION_LABELS_FILE, validation_labels
from torchbench.dataset.scan import some
from torchbench.errors import DataNotFound
from torchbench.image_classification import ImageNet
from torchbench.record import describe_dataset
from torchbench.report import say
from torchbench.settings import Settings


def find_images(root: str | os.PathLike[str] | None, settings: Settings) -> TestSet:
    """ImageNet's validation set as it is at `root`, else all its 50,000 image numbers with the package's labels.

    The official archive is left as it is: a file with its own loop may read it without extracting it.
    """
    folder = ImageNet.data_folder(root, settings)
    if (folder / VALIDATION_ARCHIVE.name).is_file() and not (folder / "val").is_dir():
        return by_number(folder, sealed=settings.sealed)
    try:
        return ImageNet.find_data(root, settings)
    except DataNotFound:
        return by_number(folder, sealed=settings.sealed)


def by_number(folder: Path, *, sealed: bool, table: Path = VALIDATION_LABELS_FILE) -> TestSet:
    """The validation set as numbers 1 ... 50,000, without images; in a sealed run without labels.

    Raises DataNotFound where labels are needed and the table is not part of the installation.
    """
    labels = np.full(ImageNet.size, -1) if sealed else validation_labels(table)
    if labels is None:
        raise DataNotFound(
            f"no images at {folder}, and the table of validation labels is not part of this installation; "
            "pass the folder of the images as root="
        )
    say(f"{ImageNet.name}: no images at {folder}; those that come in are known by their numbers")
    return TestSet(
        images=(),
        ids=tuple(f"ILSVRC2012_val_{number:08d}" for number in range(1, ImageNet.size + 1)),
        labels=labels,
        name=ImageNet.name,
        version="ILSVRC2012 validation",
        complete=True,
        size=ImageNet.size,
        layout="images known by number, not looked at",
        assumptions=(),
        fingerprint="",
    )


def describe_answered(answered: Answered, *, sealed: bool) -> dict[str, Any]:
    """Which images have an answer; a fingerprint only where all the images that were looked at have one."""
    asked = answered.test_set
    complete = asked.complete and not answered.missing
    facts = describe_dataset(replace(asked, ids=answered.predictions.ids, complete=complete), sealed=sealed)
    return facts | {"fingerprint": None if answered.missing else asked.fingerprint or None}


def notes_on(answered: Answered | None, settings: Settings) -> list[str]:
    """Sentences about images without an answer, with more than one, or with one that cannot be ranked."""
    if answered is None:
        return []
    notes = nonfinite_note(answered.predictions)
    if answered.missing and not settings.check:
        asked = len(answered.predictions) + len(answered.missing)
        some_of_them = some(answered.missing)
        notes.append(
            f"{len(answered.missing):,} of {asked:,} images have no output: {some_of_them}; a subset was evaluated"
        )
    if answered.repeated:
        notes.append(f"{answered.repeated:,} outputs were for images that had one already, with the same best classes")
    return notes
