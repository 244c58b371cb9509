"""ImageNet's facts: its 1,000 classes in order, and which class each validation image shows.

The validation labels are a file of their own, so that a platform can leave it out; everything but the layouts whose
files do not name their class works without it.
"""

import csv
from functools import cache
from pathlib import Path

import numpy as np
import numpy.typing as npt

from torchbench.dataset.testset import Labels
from torchbench.errors import DataError

TABLES = Path(__file__).parent / "tables"
CLASSES_FILE = TABLES / "imagenet_classes.csv"
VALIDATION_LABELS_FILE = TABLES / "imagenet_validation_labels.npy"


@cache
def _classes() -> tuple[tuple[str, str], ...]:
    with CLASSES_FILE.open(encoding="utf-8", newline="") as file:
        return tuple((row["wnid"], row["names"]) for row in csv.DictReader(file))


@cache
def wnids() -> tuple[str, ...]:
    """The WordNet ids of the 1,000 classes; the position is the class index, which is their sorted order."""
    return tuple(wnid for wnid, _ in _classes())


@cache
def class_names() -> tuple[str, ...]:
    """The names of the 1,000 classes by class index, each a line of synonyms with commas between them."""
    return tuple(names for _, names in _classes())


@cache
def class_of_wnid() -> dict[str, int]:
    """The class index of each WordNet id."""
    return {wnid: index for index, wnid in enumerate(wnids())}


def validation_labels(file: Path = VALIDATION_LABELS_FILE) -> Labels | None:
    """The class of validation image 1, 2, ... (50,000,), or None where the table was left out.

    Raises DataError when the file is there and is not such a table.
    """
    try:
        with file.open("rb") as opened:
            table: npt.NDArray[np.int16] = np.load(opened, allow_pickle=False)
    except FileNotFoundError:
        return None
    except (OSError, ValueError, EOFError) as error:
        raise DataError(f"the table of validation labels {file} cannot be read: {error}; install again") from error
    return table.astype(np.int64)
