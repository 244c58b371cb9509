"""What lies in a folder: folders, image files and other files, without what systems leave behind."""

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from torchbench.errors import DataError

# the endings torchvision reads (torchvision.datasets.folder.IMG_EXTENSIONS)
IMAGE_ENDINGS = frozenset({"jpg", "jpeg", "png", "ppm", "bmp", "pgm", "tif", "tiff", "webp"})

# left by Windows, macOS, Synology and other systems, beside the hidden files whose names begin with a dot
LEFTOVERS = frozenset(
    {"thumbs.db", "desktop.ini", "@eadir", "__macosx", "#recycle", "$recycle.bin", "lost+found"}
    | {"system volume information"}
)


class UnlistableError(DataError):
    """A folder whose content the system does not tell."""


@dataclass(frozen=True)
class Listing:
    """The names in one folder, in no order; `others` are visible files without an image's ending."""

    folders: list[str]
    images: list[str]
    others: list[str]


@dataclass(frozen=True)
class Below:
    """The files under a folder at any depth, relative to it: images in torchvision's order, and the others."""

    images: list[str]
    others: list[str]


def list_folder(folder: Path) -> Listing:
    """The names in `folder`; a link that leads nowhere counts as the file it should be."""
    listing = Listing([], [], [])
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                name = entry.name
                if name[0] == "." or name.lower() in LEFTOVERS:
                    continue
                if entry.is_dir():
                    listing.folders.append(name)
                elif is_image_name(name):
                    listing.images.append(name)
                else:
                    listing.others.append(name)
    except OSError as error:
        raise UnlistableError(
            f"the folder {folder} cannot be listed: {error.strerror}; check its permissions"
        ) from error
    return listing


def is_image_name(name: str) -> bool:
    """Whether a file of this name has to be an image."""
    _, dot, ending = name.rpartition(".")
    return bool(dot) and ending.lower() in IMAGE_ENDINGS


def files_below(folder: Path) -> Below:
    """All files under `folder`; linked folders are followed, each once."""
    top = list_folder(folder)
    below = Below(sorted(top.images), top.others)
    if not top.folders:
        return below
    seen = {folder.resolve()}
    _descend(folder, top.folders, below, seen)
    below.images.sort(key=os.path.split)
    return below


def _descend(folder: Path, names: list[str], below: Below, seen: set[Path], prefix: str = "") -> None:
    for name in names:
        path = folder / name
        real = path.resolve()
        if real in seen:
            continue
        seen.add(real)
        listing = list_folder(path)
        inside = f"{prefix}{name}/"
        below.images.extend(inside + image for image in listing.images)
        below.others.extend(inside + other for other in listing.others)
        _descend(path, listing.folders, below, seen, inside)


def first_image_below(folder: Path, depth: int = 2) -> str | None:
    """The relative name of some image in `folder` or up to `depth` folders deeper, to decide whether it matters."""
    listing = list_folder(folder)
    if listing.images:
        return min(listing.images)
    if depth:
        for name in sorted(listing.folders):
            found = first_image_below(folder / name, depth - 1)
            if found:
                return f"{name}/{found}"
    return None


def some(names: Iterable[str], at_most: int = 3) -> str:
    """A few of `names` for a message: "a, b, c and 12 more"."""
    everything = sorted(names)
    left = len(everything) - at_most
    return ", ".join(everything[:at_most]) + (f" and {left:,} more" if left > 0 else "")
