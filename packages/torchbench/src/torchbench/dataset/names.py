"""What the name of an ImageNet file says about its class."""

import re
from collections.abc import Sequence

import numpy as np

from torchbench.dataset.found import Found
from torchbench.dataset.labels import class_of_wnid, wnids
from torchbench.dataset.testset import Labels
from torchbench.errors import DataError

# ILSVRC2012_val_00000001.JPEG, and with the class behind it: ILSVRC2012_val_00000001_n01751748.JPEG
VALIDATION_NAME = re.compile(r"ILSVRC2012_val_(\d{8})(?:_(n\d{8}))?\.[^.]+")
# n01440764_10026.JPEG, n01440764_tench.JPEG
WNID_NAME = re.compile(r"(n\d{8})(?:[_\-. ].*)?\.[^.]+")
TRAINING_NAME = re.compile(r"(?:.*/)?n\d{8}_\d+(?:_n\d{8})?\.[^.]+")


def class_in_name(name: str) -> int | None:
    """The class whose WordNet id stands in the file's name, or None."""
    match = WNID_NAME.fullmatch(name)
    wnid = match[1] if match else None
    if wnid is None and (match := VALIDATION_NAME.fullmatch(name)):
        wnid = match[2]
    return class_of_wnid().get(wnid) if wnid else None


def image_number(name: str) -> int | None:
    """The number of the validation image that the file's name says it is, 1 ... 99,999,999, or None."""
    match = VALIDATION_NAME.fullmatch(name)
    return int(match[1]) if match else None


def check_against_table(found: Found, table: Labels | None) -> None:
    """Raise DataError when files named as validation images have another class than the table says.

    It is how folders that were sorted by a wrong list, or numbered in another order, are noticed.
    """
    if table is None:
        return
    numbers = image_numbers(found.files)
    at = np.flatnonzero((numbers >= 1) & (numbers <= len(table)))
    wrong = at[table[numbers[at] - 1] != found.labels[at]]
    if not wrong.size:
        return
    first = int(wrong[0])
    right, read = int(table[numbers[first] - 1]), int(found.labels[first])
    raise DataError(
        f"{wrong.size:,} of {len(at):,} validation images under {found.folder} are filed under another class than they "
        f"show: {found.files[first]} would be class {read} ({wnids()[read]}) and shows class {right} "
        f"({wnids()[right]}); the folders were sorted by another list or numbered in another order: "
        "sort the images again, or put them into one flat folder, and their labels come from their numbers"
    )


def image_numbers(files: Sequence[str]) -> Labels:
    """The `image_number` of each file (N,), 0 for those that have none."""
    return np.array([_number(file) for file in files], dtype=np.int64)


def _number(file: str) -> int:
    """`image_number` or 0, for tens of thousands of files."""
    name = file[file.rfind("/") + 1 :]
    if not name.startswith("ILSVRC2012_val_"):
        return 0
    digits = name[15:23]
    return int(digits) if digits.isascii() and digits.isdigit() and len(digits) == 8 else 0
