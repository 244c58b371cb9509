"""What to say when there is nothing usable at data_root: where we looked, what is there, what was probably meant."""

from pathlib import Path

from torchbench.dataset.labels import class_of_wnid
from torchbench.dataset.scan import Listing, first_image_below, list_folder, some
from torchbench.errors import DataNotFound

LAYOUTS = """\
layouts that are understood, under data_root:
  val/n01440764/*.JPEG                       class folders by WordNet id, with or without meta.bin; also without val/
  ILSVRC2012_img_val.tar                     the official archive, extracted once to val/ (the devkit is not needed)
  val/ILSVRC2012_val_00000001.JPEG           all images in one folder, as the archive has them; also without val/
  ILSVRC/Data/CLS-LOC/val/*.JPEG             Kaggle's download, with LOC_val_solution.csv
  val/0/*.JPEG ... val/999/*.JPEG            class folders by class index; also without val/
  n01440764_tench.JPEG                       images in one folder whose names begin with a WordNet id
ImageNet's licence lets nobody download it for you: ask for access at https://image-net.org and put it there"""

MANY = 50  # folders looked into for the one that was meant


def existing_folder(root: Path) -> Path:
    """`root` as an absolute path with `~` expanded; raises DataNotFound when there is no such folder."""
    folder = root.expanduser().absolute()
    if folder.is_dir():
        return folder
    if folder.exists():
        raise DataNotFound(f"data_root {folder} is a file; give the folder that holds it\n{LAYOUTS}")
    parent = next(above for above in folder.parents if above.is_dir())
    there = some(_names(list_folder(parent)), 5) or "nothing"
    raise DataNotFound(f"data_root {folder} does not exist; {parent} holds {there}\n{LAYOUTS}")


def refuse_wrong_folder(root: Path) -> None:
    """Raise DataNotFound for a data_root whose own name says that it is the training set or one class's folder."""
    if root.name == "train":
        raise DataNotFound(
            f"data_root {root} is the training set, and the validation set is evaluated; "
            f"give the folder above it, {root.parent}, with val/ in it"
        )
    if root.name in class_of_wnid() and first_image_below(root, 0):
        above = root.parent.parent if root.parent.name == "val" else root.parent
        raise DataNotFound(f"data_root {root} is the folder of one class; give the one above the classes, {above}")


def nothing_found(root: Path, looked: list[str], meant: Path | None) -> DataNotFound:
    """The error to raise; `looked` are the places under `root`, `meant` a folder in it that would do as data_root."""
    listing = list_folder(root)
    names = _names(listing)
    lines = [
        f"no ImageNet validation images at data_root {root}",
        f"  looked at: data_root itself, {', '.join(looked)}",
        f"  found there: {some(names, 5) or 'nothing, the folder is empty'}",
    ]
    if meant:
        lines.append(f"  {meant} would do: give that as data_root")
    lines.extend(f"  {hint}" for hint in _hints(root, listing))
    return DataNotFound("\n".join([*lines, LAYOUTS]))


def _hints(root: Path, listing: Listing) -> list[str]:
    hints = []
    if "train" in listing.folders and "val" not in listing.folders:
        hints.append("train/ is there and val/ is not; only the validation set is evaluated")
    for name in ("", "val"):
        place = root / name
        inside = list_folder(place) if place.is_dir() else Listing([], [], [])
        where = f"{name}/" if name else "it"
        if inside.images:
            hints.append(
                f"{where} holds {len(inside.images):,} images whose names tell no class: {some(inside.images)}"
            )
        elif any(folder in class_of_wnid() for folder in inside.folders):
            hints.append(f"{where} holds class folders, and not one image in them")
    return hints


def _names(listing: Listing) -> list[str]:
    return [f"{folder}/" for folder in listing.folders] + listing.images + listing.others
