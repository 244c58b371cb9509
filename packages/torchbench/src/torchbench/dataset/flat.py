"""Layouts with all images in one folder: as the archive has them, Kaggle's, or named by class."""

import csv
from pathlib import Path

import numpy as np

from torchbench.dataset.found import Found, Place, skipped
from torchbench.dataset.labels import class_of_wnid
from torchbench.dataset.names import check_against_table, class_in_name, image_number
from torchbench.dataset.scan import some
from torchbench.dataset.testset import Labels
from torchbench.errors import DataError

SOLUTION = "LOC_val_solution.csv"
KAGGLE_DEPTH = 4  # LOC_val_solution.csv lies four folders above ILSVRC/Data/CLS-LOC/val's content


def in_one_folder(place: Place, table: Labels | None) -> Found | None:
    """The images directly in `place`, or None when it has none, or none whose class can be known.

    Raises DataError when only some of them can be used, and when the table that gives their labels was left out.
    """
    names = tuple(sorted(place.listing.images))
    if not names:
        return None
    solution = _solution_above(place)
    if solution is not None:
        return _found(place, names, _from_solution(names, solution), f"labels from {SOLUTION}")
    classes = [class_in_name(name) for name in names]
    numbers = [image_number(name) for name in names]
    known = [cls is not None or number is not None for cls, number in zip(classes, numbers, strict=True)]
    if not any(known):
        return None
    if not all(known):
        _refuse_names(place, [name for name, fine in zip(names, known, strict=True) if not fine])
    if None not in classes:
        found = _found(place, names, classes, "labels from the WordNet ids in the file names")
        check_against_table(found, table)
        return found
    return _found(place, names, _from_table(place, names, numbers, table), "labels by image number")


def _found(place: Place, names: tuple[str, ...], classes: list[int | None], source: str) -> Found:
    folder = "Kaggle's folder (CLS-LOC/val/)" if place.is_kaggle else f"one flat folder ({place.where or 'data_root'})"
    others = skipped([place.listing.others]) if place.where else ()
    return Found(place.folder, names, np.array(classes, dtype=np.int64), f"{folder}, {source}", others)


def _refuse_names(place: Place, unknown: list[str]) -> None:
    raise DataError(
        f"{place.folder} holds {len(place.listing.images):,} images, and the names of {len(unknown):,} of them tell no "
        f"class: {some(unknown)}; expected ILSVRC2012_val_00000001.JPEG and so on, or names that begin with a "
        "WordNet id such as n01440764_tench.JPEG: move the other images away"
    )


def _from_table(
    place: Place, names: tuple[str, ...], numbers: list[int | None], table: Labels | None
) -> list[int | None]:
    unnumbered = [name for name, number in zip(names, numbers, strict=True) if number is None]
    if unnumbered:
        _refuse_names(place, unnumbered)
    if table is None:
        raise DataError(
            f"the images in {place.folder} are named by number, and the table of validation labels is not part of this "
            f"installation; put them into class folders (val/<wnid>/), or {SOLUTION} beside or above them"
        )
    impossible = [n for n, i in zip(names, numbers, strict=True) if i is None or not 1 <= i <= len(table)]
    if impossible:
        raise DataError(f"{place.folder} holds {some(impossible)}; expected image numbers 1 ... {len(table):,}")
    return [int(table[number - 1]) for number in numbers if number is not None]


def _solution_above(place: Place) -> dict[str, int] | None:
    """Kaggle's labels by image id, from the folder itself up to data_root, or up to where Kaggle puts them."""
    levels = max(KAGGLE_DEPTH if place.is_kaggle else 0, len([part for part in place.where.split("/") if part]))
    for candidate in (place.folder, *place.folder.parents[:levels]):
        if (candidate / SOLUTION).is_file():
            return _read_solution(candidate / SOLUTION)
    return None


def _read_solution(path: Path) -> dict[str, int]:
    """ImageId to class; a row's PredictionString begins with the WordNet id, the boxes follow."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = [(row["ImageId"], row["PredictionString"].split()[0]) for row in csv.DictReader(file)]
        return {image: class_of_wnid()[wnid] for image, wnid in rows}
    except (OSError, ValueError, KeyError, IndexError, AttributeError, csv.Error) as error:
        raise DataError(
            f"{path} cannot be read ({type(error).__name__}: {error}); expected the columns ImageId and "
            "PredictionString with a WordNet id first: copy it again, or remove it and the package's labels are used"
        ) from error


def _from_solution(names: tuple[str, ...], solution: dict[str, int]) -> list[int | None]:
    missing = [name for name in names if _stem(name) not in solution]
    if missing:
        raise DataError(
            f"{SOLUTION} says nothing of {len(missing):,} of {len(names):,} images: {some(missing)}; "
            "move these images away, or copy the file again"
        )
    return [solution[_stem(name)] for name in names]


def _stem(name: str) -> str:
    return name.rpartition(".")[0]
