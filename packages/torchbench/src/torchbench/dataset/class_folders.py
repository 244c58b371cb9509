"""Layouts with a folder a class: named by WordNet id (`val/n01440764/`) or by class index (`val/0/` ... `val/999/`)."""

import numpy as np

from torchbench.dataset.found import Found, Place, skipped
from torchbench.dataset.labels import class_of_wnid
from torchbench.dataset.names import check_against_table
from torchbench.dataset.scan import files_below, first_image_below, some
from torchbench.dataset.testset import Labels
from torchbench.errors import DataError

CLASSES = 1000


def by_class(place: Place, table: Labels | None) -> Found | None:
    """The images in the class folders of `place`, or None when it has no such folders or not one image in them.

    Empty and missing class folders are fine. Raises DataError when other folders or loose images lie among them, when
    folders are numbered as class indices cannot be, and when validation images lie in folders of other classes.
    """
    wnids = {name: class_of_wnid()[name] for name in place.listing.folders if name in class_of_wnid()}
    numbers = {name: int(name) for name in place.listing.folders if _is_number(name)}
    if not wnids and not any(number < CLASSES for number in numbers.values()):
        return None
    chosen = wnids or numbers
    found = _gather(place, chosen)
    if not found.files:
        return None
    _refuse_mixture(place, chosen)
    if chosen is numbers:
        _refuse_impossible_numbers(place, numbers)
    check_against_table(found, table)
    return found


def _is_number(name: str) -> bool:
    return name.isascii() and name.isdigit() and len(name) <= 4


def _gather(place: Place, classes: dict[str, int]) -> Found:
    files: list[str] = []
    labels: list[int] = []
    others = [place.listing.others] if place.where else []
    for name, index in sorted(classes.items(), key=lambda item: item[1]):
        below = files_below(place.folder / name)
        files.extend([f"{name}/{image}" for image in below.images])
        labels.extend([index] * len(below.images))
        others.append(below.others)
    layout, assumptions = _words(place, classes)
    labels_array = np.array(labels, dtype=np.int64)
    return Found(place.folder, tuple(files), labels_array, layout, (*assumptions, *skipped(others)))


def _words(place: Place, classes: dict[str, int]) -> tuple[str, tuple[str, ...]]:
    if _is_number(next(iter(classes))):
        read_as = (
            "folders 0...999 are read as class indices, in the order of sorted WordNet ids (0 is n01440764, tench)"
        )
        return f"class folders by index ({place.named('<class index>/')})", (read_as,)
    if place.is_kaggle:
        return "Kaggle's folder, sorted into classes (CLS-LOC/val/<wnid>/)", ()
    if place.where == "val" and (place.folder.parent / "meta.bin").is_file():
        return "torchvision's folder (meta.bin, val/<wnid>/)", ()
    return f"class folders ({place.named('<wnid>/')})", ()


def _refuse_mixture(place: Place, classes: dict[str, int]) -> None:
    """Raise when an image would be left out silently: a folder that is no class, or an image beside the folders."""
    if place.listing.images:
        raise DataError(
            f"{place.folder} holds class folders and loose images, for example {some(place.listing.images)}; "
            "expected one or the other: move the loose images away, or into their class folders"
        )
    rest = [name for name in place.listing.folders if name not in classes]
    unknown = [name for name in rest if first_image_below(place.folder / name)]
    if unknown:
        raise DataError(
            f"{place.folder} holds class folders and {len(unknown):,} more with images in them that are none of "
            f"ImageNet's 1,000 classes: {some(unknown)}; expected WordNet ids such as n01440764, or indices 0...999, "
            "not both: rename these folders or move them away"
        )


def _refuse_impossible_numbers(place: Place, numbers: dict[str, int]) -> None:
    too_large = [name for name, number in numbers.items() if number >= CLASSES]
    if too_large:
        raise DataError(
            f"{place.folder} holds class folders named by number, and {some(too_large)} among them; expected 0...999. "
            "Folders counted from 1, and the devkit's ids, are not class indices: name the folders by WordNet id"
        )
    if len(set(numbers.values())) < len(numbers):
        twice = [name for name, number in numbers.items() if list(numbers.values()).count(number) > 1]
        raise DataError(f"{place.folder} holds two folders for one class index: {some(twice)}; keep one name for each")
