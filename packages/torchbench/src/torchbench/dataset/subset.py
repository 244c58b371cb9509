"""How much of the validation set is there: all of it, a subset, an interrupted copy, or something else."""

import numpy as np

from torchbench.dataset.class_folders import CLASSES
from torchbench.dataset.found import Found
from torchbench.dataset.labels import wnids
from torchbench.dataset.testset import Labels

PER_CLASS = 50
SHOWN = 3


def is_complete(found: Found) -> bool:
    """Whether every class has its 50 images."""
    return bool((_counts(found) == PER_CLASS).all())


def subset_sentences(found: Found) -> tuple[str, ...]:
    """Sentences for the user about what is missing or too much; none for the complete set."""
    counts = _counts(found)
    if is_complete(found):
        return ()
    if counts.max() > PER_CLASS:
        return _too_many(found, counts)
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


def _too_many(found: Found, counts: Labels) -> tuple[str, ...]:
    """Sentences about a set that cannot be the validation set: it may be evaluated, but not taken for it."""
    most = int(counts.argmax())
    found_and_expected = f"{counts[most]:,} images of class {most} ({wnids()[most]}), where it has {PER_CLASS} of each"
    return (
        f"not the validation set: {found_and_expected}; training images, another set, or copies of the same files?",
        f"a subset at best: {len(found.files):,} images; the figures are not comparable with published ones",
    )
