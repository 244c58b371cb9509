"""What a benchmark gets from a reader: the images of a test set, their labels, and what was assumed on the way."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Protocol

import numpy as np
import numpy.typing as npt
from PIL import Image

from torchbench.dataset.memory import Digests

Labels = npt.NDArray[np.int64]


@dataclass(frozen=True)
class TestSet:
    """The images and labels that one run evaluates, in evaluation order, every file read and whole.

    `assumptions` are sentences for the user. `fingerprint` is a SHA-256 in hexadecimal over the contents of the
    images alone: neither names, nor layout, nor order, nor labels change it. `digests` are the SHA-256 of each image's
    file, where the reader knows them. `foreign`: these cannot be the set's images, or not only.
    """

    __test__: ClassVar[bool] = False  # pytest takes a class whose name begins with Test for tests

    images: Sequence[Image.Image]
    ids: tuple[str, ...]
    labels: Labels  # (N,), 0 ... classes - 1
    name: str
    version: str
    complete: bool
    size: int
    layout: str
    assumptions: tuple[str, ...]
    fingerprint: str
    digests: Digests | None = None  # (N, 32)
    foreign: bool = False

    def in_order(self, chosen: slice) -> str | None:
        """SHA-256, hexadecimal, over the digests of these images one after the other; None where they are not known.

        Unlike the fingerprint it says which image comes when, whatever the files are called.
        """
        return None if self.digests is None else hashlib.sha256(self.digests[chosen].tobytes()).hexdigest()


class Reader(Protocol):
    """Finds one test set on disk; a benchmark names its reader, and no other code knows the layout."""

    def find(self, root: Path, *, remember: Path | None) -> TestSet:
        """The test set at `root`; what was read once is remembered in the folder `remember` (None: nowhere).

        Raises DataNotFound when nothing usable is there, DataError when it cannot be used as it is, and BrokenImage,
        naming the files, when some of them are not whole images.
        """
        ...
