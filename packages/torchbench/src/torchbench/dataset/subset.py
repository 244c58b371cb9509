"""How much of the validation set is there: all of it, a subset, an interrupted copy, or something else."""

from dataclasses import dataclass

import numpy as np

from torchbench.dataset.class_folders import CLASSES
from torchbench.dataset.found import Found
from torchbench.dataset.labels import wnids
from torchbench.dataset.memory import Digests
from torchbench.dataset.names import TRAINING_NAME, image_numbers
from torchbench.dataset.testset import Labels

PER_CLASS = 50
SHOWN = 3
COPIES = 0.01  # of all files: equal ones may be in the genuine set, but not so many


@dataclass(frozen=True)
class Extent:
    """Whether this is the whole set; whether it is `foreign`, neither the set nor a part of it; sentences about it."""

    complete: bool
    foreign: bool
    sentences: tuple[str, ...]


def extent_of(found: Found, digests: Digests) -> Extent:
    """What the classes, the names and the contents of the files say.

    Files without official names are taken for the whole set when every class has its 50: held-out training images under
    names of their own are not noticed.
    """
    counts = np.bincount(found.labels, minlength=CLASSES)
    if counts.max() > PER_CLASS:
        return Extent(False, True, _too_many(found, counts))
    if (counts < PER_CLASS).any():
        return Extent(False, False, _too_few(found, counts))
    if reason := _why_others(found, digests):
        sentence = f"not the validation set: {reason}; the figures are not comparable with published ones"
        return Extent(False, True, (sentence,))
    return Extent(True, False, ())


def _why_others(found: Found, digests: Digests) -> str | None:
    """Why 50 images of every class are others than the validation set's; None where nothing says so."""
    total = len(found.files)
    training = sum(TRAINING_NAME.fullmatch(file) is not None for file in found.files)
    if training:
        return f"{training:,} of {total:,} files are named like training images"
    numbers = image_numbers(found.files)
    official = numbers[numbers > 0]
    twice = len(official) - len(np.unique(official))
    if twice:
        return f"{twice:,} validation image{' is' if twice == 1 else 's are'} there more than once"
    copies = 0 if len(official) == total else total - len(np.unique(digests, axis=0))
    if copies > COPIES * total:
        return f"{copies:,} of {total:,} files are copies of others"
    return None


def _too_few(found: Found, counts: Labels) -> tuple[str, ...]:
    """Sentences about what is missing."""
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


def _too_many(found: Found, counts: Labels) -> tuple[str, ...]:
    """Sentences about a set that cannot be the validation set: it may be evaluated, but not taken for it."""
    most = int(counts.argmax())
    found_and_expected = f"{counts[most]:,} images of class {most} ({wnids()[most]}), where it has {PER_CLASS} of each"
    return (
        f"not the validation set: {found_and_expected}; training images, another set, or copies of the same files?",
        f"a subset at best: {len(found.files):,} images; the figures are not comparable with published ones",
    )
