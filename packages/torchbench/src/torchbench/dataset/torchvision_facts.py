"""What torchvision knows about ImageNet's archives, and what it wrote when it prepared a folder."""

import pickle
from pathlib import Path

import numpy as np
from torchvision.datasets.imagenet import ARCHIVE_META, META_FILE, load_meta_file

from torchbench.dataset.labels import class_of_wnid
from torchbench.dataset.testset import Labels
from torchbench.errors import DataError

VALIDATION_ARCHIVE: tuple[str, str] = ARCHIVE_META["val"]
DEVKIT_ARCHIVE: tuple[str, str] = ARCHIVE_META["devkit"]


def labels_in_meta(root: Path) -> Labels | None:
    """The class of validation image 1, 2, ... as meta.bin at `root` has them, or None when there is none."""
    path = root / META_FILE
    if not path.is_file():
        return None
    try:
        _, val_wnids = load_meta_file(root)
        return np.array([class_of_wnid()[wnid] for wnid in val_wnids], dtype=np.int64)
    except (RuntimeError, OSError, EOFError, KeyError, TypeError, ValueError, pickle.UnpicklingError) as error:
        raise DataError(f"{path} cannot be read: {error}; remove it, torchbench can do without") from error
