"""Reads the ImageNet validation set, in every layout people have it in."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from torchbench.dataset import torchvision_facts
from torchbench.dataset.archives import MARKER, Archive, extract, is_unfinished
from torchbench.dataset.class_folders import CLASSES, by_class
from torchbench.dataset.decoys import DECOYS_SENTENCE, has_decoys, memory_beside
from torchbench.dataset.devkit import check_devkit
from torchbench.dataset.fingerprint import check_files
from torchbench.dataset.flat import in_one_folder
from torchbench.dataset.found import FilePaths, Found, Place, ids_of
from torchbench.dataset.labels import VALIDATION_LABELS_FILE, validation_labels
from torchbench.dataset.mistakes import MANY, existing_folder, nothing_found, refuse_wrong_folder
from torchbench.dataset.names import TRAINING_NAME
from torchbench.dataset.scan import UnlistableError, list_folder
from torchbench.dataset.subset import extent_of
from torchbench.dataset.testset import Labels, TestSet
from torchbench.errors import DataError
from torchbench.images import ImageFiles

VALIDATION_ARCHIVE = Archive(*torchvision_facts.VALIDATION_ARCHIVE)
DEVKIT_ARCHIVE = Archive(*torchvision_facts.DEVKIT_ARCHIVE)

# where images may lie under data_root, the most explicit first; data_root itself comes last
PLACES = (
    "val",
    "validation",
    "ILSVRC/Data/CLS-LOC/val",
    "Data/CLS-LOC/val",
    "CLS-LOC/val",
    "ILSVRC2012_img_val",
)


@dataclass(frozen=True)
class ImageNetReader:
    """Finds the 50,000 validation images of ILSVRC 2012, or a subset of them, and says what was assumed.

    The archives' names and MD5s are torchvision's. Without `label_table` (a platform may leave it out) everything works
    but the layouts whose files name no class.
    """

    val_archive: Archive = VALIDATION_ARCHIVE
    devkit_archive: Archive = DEVKIT_ARCHIVE
    label_table: Path = VALIDATION_LABELS_FILE

    def find(self, root: Path, *, remember: Path | None) -> TestSet:
        """The validation set at `root`, every file read once and whole; an archive there is extracted first.

        Classes come in the order of their index, the files of a class by name; flat files by name.
        """
        try:
            return self._find(root, remember)
        except PermissionError as error:
            closed = Path(str(error.filename or root)).parent
            raise UnlistableError(
                f"the folder {closed} is closed to this user; make it and what is in it readable, or name another"
            ) from error

    def _find(self, root: Path, remember: Path | None) -> TestSet:
        folder = existing_folder(root)
        table = None if has_decoys(folder) else validation_labels(self.label_table)
        notes = self._finish_extraction(folder, table)
        found = _first(folder, table)
        if found is None and (folder / self.val_archive.name).is_file():
            notes = self._extract(folder, table)
            found = _first(folder, table)
        if found is None:
            raise nothing_found(
                folder, [*PLACES, self.val_archive.name], next(_usable_below(folder, self.val_archive), None)
            )
        return self._test_set(folder, found, notes, remember)

    def _finish_extraction(self, root: Path, table: Labels | None) -> tuple[str, ...]:
        """Go on where an earlier extraction stopped."""
        val = next((folder for folder in (root / "val", root) if is_unfinished(folder)), None)
        if val is None:
            return ()
        if not (val.parent / self.val_archive.name).is_file() or val.name != "val":
            raise DataError(
                f"the extraction of {self.val_archive.name} to {val} was interrupted, and the archive is gone; "
                f"put it back beside it, or remove {val / MARKER} to evaluate on the images that are there"
            )
        return self._extract(val.parent, table)

    def _extract(self, root: Path, table: Labels | None) -> tuple[str, ...]:
        labels = torchvision_facts.labels_in_meta(root) if table is None else table
        if labels is None:
            raise DataError(
                f"{root / self.val_archive.name} names its images by number, and the table of validation labels is not "
                "part of this installation; extract the archive into class folders (val/<wnid>/) where it is"
            )
        devkit = root / self.devkit_archive.name
        if devkit.is_file():
            check_devkit(devkit, self.devkit_archive, labels)
        return extract(root, self.val_archive, labels)

    def _test_set(self, root: Path, found: Found, notes: tuple[str, ...], remember: Path | None) -> TestSet:
        checked = check_files(found.folder, found.files, remember=remember, known_already=memory_beside(root))
        extent = extent_of(found, checked.digests)
        sentences = (DECOYS_SENTENCE,) if has_decoys(root) else extent.sentences
        if not extent.complete and (root / self.val_archive.name).is_file():
            sentences += (f"{self.val_archive.name} is not read: val/ has images; to extract it anew, remove val/",)
        return TestSet(
            images=ImageFiles(FilePaths(found.folder, found.files)),
            ids=ids_of(found.files),
            labels=found.labels,
            name="ImageNet",
            version="ILSVRC2012 validation",
            complete=extent.complete,
            size=50 * CLASSES,
            layout=found.layout,
            assumptions=(*found.assumptions, *notes, *_named_like_training(found), *sentences, *checked.notes),
            fingerprint=checked.fingerprint,
            digests=checked.digests,
            foreign=extent.foreign,
        )


def _first(root: Path, table: Labels | None) -> Found | None:
    """The images of the first place under `root` that holds any in a known layout."""
    for where in PLACES:
        if (root / where).is_dir():
            found = _in_place(Place(root / where, where), root, table)
            if found:
                return found
    refuse_wrong_folder(root)
    return _in_place(Place(root, ""), root, table)


def _in_place(place: Place, root: Path, table: Labels | None) -> Found | None:
    found = by_class(place, table)
    if found:
        return found
    return in_one_folder(place, torchvision_facts.labels_in_meta(root) if table is None else table)


def _usable_below(root: Path, archive: Archive) -> Iterator[Path]:
    """Folders in `root` that would do as data_root."""
    for name in sorted(list_folder(root).folders)[:MANY]:
        below = root / name
        if name != "train" and ((below / archive.name).is_file() or _is_usable(below)):
            yield below


def _is_usable(root: Path) -> bool:
    try:
        return _first(root, None) is not None
    except UnlistableError:
        return False
    except DataError:  # there is something, and what is wrong with it is said when it is asked for
        return True


def _named_like_training(found: Found) -> tuple[str, ...]:
    named = TRAINING_NAME.fullmatch(found.files[0])
    return (f"{found.files[0]} is named like a training image: is this the validation set?",) if named else ()
