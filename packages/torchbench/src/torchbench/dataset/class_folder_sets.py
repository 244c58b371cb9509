"""Reads the test sets that come as one folder of class folders: ImageNet-V2, -A, -R, -Sketch."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from torchbench.dataset.class_folders import by_class
from torchbench.dataset.fingerprint import check_files
from torchbench.dataset.found import FilePaths, Found, Place, ids_of
from torchbench.dataset.labels import wnids
from torchbench.dataset.names import TRAINING_NAME, VALIDATION_NAME
from torchbench.dataset.scan import some
from torchbench.dataset.testset import TestSet
from torchbench.errors import DataError, DataNotFound
from torchbench.images import ImageFiles


@dataclass(frozen=True)
class ClassFolderReader:
    """Finds a test set of `size` images, each in the folder of its class, and says what was assumed.

    `folders` are the names that the set's own folder may have, the authors' first. `classes` are those of ImageNet's
    1,000 that it has images of. Folders are named by WordNet id, or by class index.
    """

    name: str
    version: str
    size: int
    folders: tuple[str, ...]
    classes: tuple[int, ...] = tuple(range(1000))

    def find(self, root: Path, *, remember: Path | None) -> TestSet:
        """The test set: in one of its folders below `root`, in `root` itself, or in one of its folders beside `root`.

        Classes come in the order of their index, the files of a class by name.
        """
        place = root.expanduser().absolute()
        candidates = [*self._below(place), place, *self._below(place.parent)]
        found = next((found for folder in candidates if (found := _in_folder(folder))), None)
        if found is None:
            raise DataNotFound(
                f"no images of {self.name} at data_root {place}\n  looked at: {', '.join(map(str, candidates))}\n"
                f"expected class folders, in data_root itself or in a folder {self.folders[0]} in it or beside it"
            )
        self._refuse_other_sets(found)
        return self._test_set(found, remember)

    def beside(self, root: Path) -> Path | None:
        """The set's own folder in or beside `root`, known by its name, or None."""
        place = root.expanduser().absolute()
        return next((folder for folder in self._searched(place) if _in_folder(folder)), None)

    def _searched(self, place: Path) -> list[Path]:
        return [*self._below(place), *self._below(place.parent)]

    def _below(self, place: Path) -> list[Path]:
        return [place / folder for folder in self.folders]

    def _refuse_other_sets(self, found: Found) -> None:
        """Raise DataError when the images cannot be those of this set."""
        other = np.setdiff1d(found.labels, self.classes)
        if other.size:
            raise DataError(
                f"{found.folder} has images of {len(other):,} classes that {self.name} does not have, for example "
                f"{some(wnids()[index] for index in other)}; expected its {len(self.classes):,} classes: is this "
                "another set?"
            )
        names = [file.rpartition("/")[2] for file in found.files]
        foreign = [name for name in names if VALIDATION_NAME.fullmatch(name) or TRAINING_NAME.fullmatch(name)]
        if foreign:
            raise DataError(
                f"{found.folder} holds images of ImageNet itself, not of {self.name}: {some(foreign)}; "
                f"give the folder of {self.name}"
            )
        if len(found.files) > self.size:
            raise DataError(
                f"{found.folder} holds {len(found.files):,} images, and {self.name} has {self.size:,}; "
                "is something else in there, or are files in it twice?"
            )

    def _test_set(self, found: Found, remember: Path | None) -> TestSet:
        checked = check_files(found.folder, found.files, remember=remember)
        return TestSet(
            images=ImageFiles(FilePaths(found.folder, found.files)),
            ids=ids_of(found.files),
            labels=found.labels,
            name=self.name,
            version=self.version,
            complete=len(found.files) == self.size,
            size=self.size,
            layout=f"class folders in {found.folder}",
            assumptions=(*found.assumptions, *self._missing(found), *checked.notes),
            fingerprint=checked.fingerprint,
            digests=checked.digests,
        )

    def _missing(self, found: Found) -> tuple[str, ...]:
        if len(found.files) == self.size:
            return ()
        empty = len(self.classes) - len(np.unique(found.labels))
        sentences = [f"a subset: {len(found.files):,} of {self.size:,} images"]
        if empty:
            sentences.append(f"{empty:,} of {len(self.classes):,} classes have no image")
        return tuple(sentences)


def _in_folder(folder: Path) -> Found | None:
    """The images in the class folders directly in `folder`, or None where there are none; a README there is fine."""
    return by_class(Place(folder, ""), None) if folder.is_dir() else None
