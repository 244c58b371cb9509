"""The official development kit: not needed, but where it is, its labels have to agree with ours."""

import tarfile
from pathlib import Path

import numpy as np

from torchbench.dataset.archives import Archive, require_md5
from torchbench.dataset.testset import Labels
from torchbench.errors import DataError

GROUND_TRUTH = "data/ILSVRC2012_validation_ground_truth.txt"


def check_devkit(path: Path, archive: Archive, labels: Labels) -> None:
    """Raise DataError when the kit is damaged or its validation labels are not `labels` (N,) up to its numbering.

    The kit numbers the classes 1 ... 1,000 in an order of its own; the labels agree when each of its numbers stands
    for one of our classes and the other way round.
    """
    require_md5(path, archive.md5)
    ids = _ground_truth(path)
    if len(ids) != len(labels):
        raise DataError(f"{path} labels {len(ids):,} validation images, expected {len(labels):,}; fetch it again")
    pairs = len(set(zip(ids.tolist(), labels.tolist(), strict=True)))
    if not pairs == len(np.unique(ids)) == len(np.unique(labels)):
        raise DataError(f"{path} has other validation labels than this installation; install torchbench again")


def _ground_truth(path: Path) -> Labels:
    """The kit's own class number of each validation image, (N,)."""
    try:
        with tarfile.open(path, "r:gz") as tar:
            for member in tar:
                content = tar.extractfile(member) if member.isreg() and member.name.endswith(GROUND_TRUTH) else None
                if content:
                    return np.array(content.read().split(), dtype=np.int64)
    except (tarfile.TarError, OSError, EOFError, ValueError) as error:
        raise DataError(f"{path} cannot be read: {error}; fetch it again, or remove it: it is not needed") from error
    raise DataError(f"{path} holds no {GROUND_TRUTH}; fetch it again, or remove it: it is not needed")
