"""What a layout found on disk, before any image was read."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import chain
from pathlib import Path
from typing import overload

from torchbench.dataset.scan import Listing, list_folder
from torchbench.dataset.testset import Labels


@dataclass(frozen=True)
class Place:
    """A folder in which images may lie: its absolute path, and how it reads from data_root ("val", or "")."""

    folder: Path
    where: str

    @cached_property
    def listing(self) -> Listing:
        """What lies directly in it."""
        return list_folder(self.folder)

    def named(self, below: str) -> str:
        """`below` as a user would find it from data_root."""
        return f"{self.where}/{below}" if self.where else f"{below} directly at data_root"

    @property
    def is_kaggle(self) -> bool:
        """Whether this is where Kaggle's download puts the validation images."""
        return self.folder.parent.name == "CLS-LOC"


@dataclass(frozen=True)
class Found:
    """Image files in evaluation order, as names relative to `folder` with "/", and the class each of them shows."""

    folder: Path
    files: tuple[str, ...]
    labels: Labels
    layout: str
    assumptions: tuple[str, ...]


class FilePaths(Sequence[Path]):
    """The paths of files in one folder, each made when it is asked for.

    50,000 Path objects at once take 0.1 s, and a collection of garbage that walks all of torch takes twice that again.
    """

    def __init__(self, folder: Path, files: Sequence[str]) -> None:
        self.folder = folder
        self.files = files

    def __len__(self) -> int:
        return len(self.files)

    @overload
    def __getitem__(self, index: int) -> Path: ...
    @overload
    def __getitem__(self, index: slice) -> "FilePaths": ...
    def __getitem__(self, index: int | slice) -> "Path | FilePaths":
        """One path, or the paths of a slice."""
        if isinstance(index, slice):
            return FilePaths(self.folder, self.files[index])
        return self.folder / self.files[index]


def ids_of(files: tuple[str, ...]) -> tuple[str, ...]:
    """One id a file: its stem where stems are unique, else its relative path, without the ending if that is enough."""
    stems = tuple([file[file.rfind("/") + 1 : file.rfind(".")] for file in files])
    if len(set(stems)) == len(files):
        return stems
    paths = tuple([file[: file.rfind(".")] for file in files])
    return paths if len(set(paths)) == len(files) else files


def skipped(others: list[list[str]]) -> tuple[str, ...]:
    """A sentence about visible files that are no images, or none."""
    names = [name for name in chain.from_iterable(others) if name.lower() not in KNOWN_COMPANIONS]
    if not names:
        return ()
    files = (
        "1 file without an image's ending was"
        if len(names) == 1
        else f"{len(names):,} files without an image's ending were"
    )
    return (f"{files} skipped, for example {min(names)}",)


# what belongs beside the images and needs no word
KNOWN_COMPANIONS = frozenset(
    {"meta.bin", "ilsvrc2012_img_val.tar", "ilsvrc2012_img_train.tar", "ilsvrc2012_devkit_t12.tar.gz"}
    | {"loc_val_solution.csv", "loc_train_solution.csv", "loc_sample_submission.csv", "loc_synset_mapping.txt"}
)
