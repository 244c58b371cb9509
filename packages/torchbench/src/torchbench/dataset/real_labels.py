"""ReaL: the labels that people gave the validation images anew, several or none an image (arXiv:2006.07159).

They are a file of their own, so that a platform can leave it out.
"""

import zipfile
import zlib
from collections.abc import Sequence
from functools import cache
from pathlib import Path

import numpy as np

from torchbench.dataset.labels import TABLES
from torchbench.dataset.names import image_number
from torchbench.errors import DataError

REAL_LABELS_FILE = TABLES / "imagenet_real_labels.npz"
IMAGES = 50_000


@cache
def real_labels(file: Path = REAL_LABELS_FILE) -> tuple[tuple[int, ...], ...] | None:
    """The labels of validation image 1, 2, ... in the authors' order, or None where the table was left out.

    Raises DataError when the file is there and is not such a table.
    """
    try:
        with file.open("rb") as opened, np.load(opened, allow_pickle=False) as arrays:
            ends, labels = arrays["ends"].tolist(), arrays["labels"].tolist()
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise DataError(f"the table of ReaL labels {file} cannot be read: {error}; install again") from error
    return tuple(tuple(labels[start:end]) for start, end in zip([0, *ends[:-1]], ends, strict=True))


def real_labels_of(ids: Sequence[str], file: Path = REAL_LABELS_FILE) -> dict[str, tuple[int, ...]]:
    """The labels, perhaps none, of those images whose id tells which validation image they are.

    Images known by other names are left out; where the table was left out, all are.
    """
    table = real_labels(file) or ()
    numbers = ((name, image_number(f"{name.rpartition('/')[2]}.JPEG")) for name in ids)
    return {name: table[number - 1] for name, number in numbers if number is not None and 1 <= number <= len(table)}


def write_real_labels(labels: Sequence[Sequence[int]], file: Path = REAL_LABELS_FILE) -> None:
    """Write the table: the labels of all images one after the other, and where those of each image end."""
    ends = np.cumsum([len(of_image) for of_image in labels], dtype=np.int32)
    flat = np.array([label for of_image in labels for label in of_image], dtype=np.int16)
    np.savez_compressed(file, ends=ends, labels=flat)
