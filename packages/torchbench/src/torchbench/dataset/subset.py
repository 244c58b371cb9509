"""How much of the validation set is there: all of it, a subset, an interrupted copy, or something else."""

import numpy as np

from torchbench.dataset.class_folders import CLASSES
from torchbench.dataset.found import Found
from torchbench.dataset.labels import wnids
from torchbench.dataset.testset import Labels
from torchbench.errors import DataError

PER_CLASS = 50
SHOWN = 3


def is_complete(found: Found) -> bool:
    """Whether every class has its 50 images."""
    return bool((_counts(found) == PER_CLASS).all())


def subset_sentences(found: Found) -> tuple[str, ...]:
    """Sentences for the user about what is missing; none for the complete set.

    Raises DataError when a class has more images than the validation set has of it.
    """
    counts = _counts(found)
    _refuse_too_many(found, counts)
    if is_complete(found):
        return ()
    size = PER_CLASS * CLASSES
    sentences = [f"a subset: {len(found.files):,} of {size:,} images"]
    empty = int((counts == 0).sum())
    if empty:
        sentences.append(f"{empty:,} of {CLASSES:,} classes have no image" if empty > 1 else "1 class has no image")
    short = np.flatnonzero(counts < PER_CLASS)
    if len(short) < CLASSES - len(short):
        examples = ", ".join(f"{wnids()[index]} ({counts[index]} of {PER_CLASS})" for index in short[:SHOWN])
        sentences.append(
            f"{size - len(found.files):,} images of {len(short):,} classes are missing, for example of "
            f"{examples}, while the other classes are whole: was a copy interrupted?"
        )
    return tuple(sentences)


def _counts(found: Found) -> Labels:
    """How many images each class has, (1000,)."""
    return np.bincount(found.labels, minlength=CLASSES)


def _refuse_too_many(found: Found, counts: Labels) -> None:
    most = int(counts.argmax())
    if counts[most] > PER_CLASS:
        raise DataError(
            f"{found.folder} holds {counts[most]:,} images of class {most} ({wnids()[most]}), and ImageNet's "
            f"validation set has {PER_CLASS} of each; these are training images, another set, "
            "or copies of the same files"
        )
