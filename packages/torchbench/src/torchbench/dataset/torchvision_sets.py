"""Reads the test split of a data set that torchvision knows, such as CIFAR-10, through torchvision's own class."""

import hashlib
import inspect
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from pickle import UnpicklingError
from typing import Any, overload

import numpy as np
from PIL import Image
from tqdm import tqdm

from torchbench.dataset.fingerprint import fingerprint_of
from torchbench.dataset.scan import some
from torchbench.dataset.testset import Labels, TestSet
from torchbench.errors import BrokenImage, DataError, DataNotFound

# What torchvision's readers raise over files that are missing, torn or something else.
_UNREADABLE = (AssertionError, EOFError, LookupError, OSError, RuntimeError, TypeError, ValueError, UnpicklingError)


class DatasetImages(Sequence[Image.Image]):
    """The images of a torchvision data set in its order, each in Pillow's `mode`."""

    def __init__(self, dataset: Any, mode: str, indices: range | None = None) -> None:
        self.dataset = dataset
        self.mode = mode
        self.indices = range(len(dataset)) if indices is None else indices

    def __len__(self) -> int:
        return len(self.indices)

    def __iter__(self) -> Iterator[Image.Image]:
        return (self[index] for index in range(len(self)))

    @overload
    def __getitem__(self, index: int) -> Image.Image: ...
    @overload
    def __getitem__(self, index: slice) -> "DatasetImages": ...
    def __getitem__(self, index: int | slice) -> "Image.Image | DatasetImages":
        """One image, or the images of a slice; raises BrokenImage when one cannot be decoded."""
        if isinstance(index, slice):
            return DatasetImages(self.dataset, self.mode, self.indices[index])
        return _sample(self.dataset, self.indices[index], self.mode)[0]


@dataclass(frozen=True)
class TorchvisionReader:
    """Finds the test split of a torchvision data set that lies on disk; nothing is fetched.

    `dataset` is the class, built with train=False or split="test", whichever it takes. Its own integrity check decides
    whether the files are whole (for CIFAR the MD5 of every file). With `classes` given, a label beyond them
    is an error. `mode` is Pillow's, "L" for sets of grey images whose models take one channel.
    """

    dataset: type[Any]
    name: str
    size: int
    classes: int | None = None
    version: str = "test split"
    mode: str = "RGB"

    def find(self, root: Path, *, remember: Path | None) -> TestSet:  # noqa: ARG002 - Reader's; this pass is short
        """The test split under `root`, every image decoded once.

        The fingerprint is `fingerprint_of` the SHA-256 digests of "<width>x<height>:" and the bytes of each image.
        """
        dataset = self._open(root.expanduser().absolute())
        digests, labels = self._read(dataset)
        complete = len(labels) == self.size
        digits = len(str(self.size - 1))
        return TestSet(
            images=DatasetImages(dataset, self.mode),
            ids=tuple(f"{index:0{digits}d}" for index in range(len(labels))),
            labels=labels,
            name=self.name,
            version=self.version,
            complete=complete,
            size=self.size,
            layout=f"torchvision's folder of {self.dataset.__name__}",
            assumptions=() if complete else (f"a subset: {len(labels):,} of {self.size:,} images",),
            fingerprint=fingerprint_of(digests),
        )

    def _open(self, root: Path) -> Any:
        try:
            return self.dataset(root, **_test_split(self.dataset))
        except ImportError as error:
            raise DataError(f"torchvision reads {self.name} with {error.name}: pip install {error.name}") from error
        except _UNREADABLE as error:
            raise DataNotFound(self._not_found(root, error)) from error

    def _not_found(self, root: Path, error: Exception) -> str:
        kind = self.dataset.__name__
        entries = [entry.name + ("/" if entry.is_dir() else "") for entry in root.iterdir()] if root.is_dir() else []
        there = f"it holds {some(entries, 5)}" if entries else "it is empty" if root.is_dir() else "it does not exist"
        expected = ", ".join(expected_files(self.dataset)) or f"what torchvision.datasets.{kind} reads"
        arguments = "".join(f", {name}={value!r}" for name, value in _test_split(self.dataset).items())
        return (
            f"no {self.name} at data_root {root} ({there}), or its files are not whole\n"
            f"  torchvision says: {error}\n  expected under data_root: {expected}\n{_unpack(self.dataset, root)}"
            f'to fetch it once: python -c "import torchvision; '
            f'torchvision.datasets.{kind}({str(root)!r}{arguments.replace("download=False", "download=True")})"'
        )

    def _read(self, dataset: Any) -> tuple[list[bytes], Labels]:
        """The digest of every image and its label, (N,)."""
        digests, labels = [], np.zeros(len(dataset), np.int64)
        for index in tqdm(range(len(dataset)), desc="checking images", unit="img", delay=1, mininterval=1):
            image, labels[index] = _sample(dataset, index, self.mode)
            content = hashlib.sha256(f"{image.width}x{image.height}:".encode())
            content.update(image.tobytes())
            digests.append(content.digest())
        wrong = [] if self.classes is None else np.flatnonzero((labels < 0) | (labels >= self.classes)).tolist()
        if wrong:
            raise DataError(
                f"image {wrong[0]} of {self.name} has label {labels[wrong[0]]}; expected {self.classes} classes "
                "counted from 0: is this the set that the benchmark means?"
            )
        return digests, labels


def expected_files(dataset: type[Any]) -> list[str]:
    """The files that torchvision's class names, relative to its root; empty for classes that name none.

    CIFAR and STL-10 list their files with MD5s as class attributes, SVHN by split, MNIST as compressed.
    """
    folder = getattr(dataset, "base_folder", "")
    names = [entry[0] for which in ("train_list", "test_list") for entry in getattr(dataset, which, ())]
    meta = getattr(dataset, "meta", None)
    names += [meta["filename"]] if isinstance(meta, dict) and "filename" in meta else []
    by_split = getattr(dataset, "split_list", {})
    names += [by_split["test"][1]] if "test" in by_split else []
    names += [f"{dataset.__name__}/raw/{name.removesuffix('.gz')}" for name, _ in getattr(dataset, "resources", ())]
    return [f"{folder}/{name}" if folder else name for name in names]


def _unpack(dataset: type[Any], root: Path) -> str:
    """The command that unpacks the archives that are there, a line; empty when there are none."""
    archive = getattr(dataset, "filename", None)
    if archive and (root / archive).is_file():
        return f"extract {archive} there: tar -xzf {root / archive} -C {root}\n"
    raw = root / dataset.__name__ / "raw"
    if any((raw / name).is_file() for name, _ in getattr(dataset, "resources", ())):
        return f"unpack them there: gunzip --keep {raw}/*.gz\n"
    return ""


def _test_split(dataset: type[Any]) -> dict[str, Any]:
    """The arguments with which this class gives its test split and fetches nothing."""
    takes = inspect.signature(dataset).parameters
    split = {"train": False} if "train" in takes else {"split": "test"} if "split" in takes else {}
    return split | ({"download": False} if "download" in takes else {})


def _sample(dataset: Any, index: int, mode: str) -> tuple[Image.Image, int]:
    """Image `index` in Pillow's `mode`, and its label."""
    try:
        image, label = dataset[index]
        return image.convert(mode), int(label)
    except (OSError, SyntaxError, IndexError) as error:
        raise BrokenImage(f"image {index} of {dataset!r} cannot be decoded: {error}; copy its file again") from error
