"""A copy of a data set on the disk: written in an order by lot, all at one time, to be read only."""

import hashlib
import os
import random
import shutil
import stat
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from sotabench.errors import Unusable
from sotabench.server.benchmarks.decoys import Placed

Tell = Callable[[str], None]

_ONE_TIME = 1_577_836_800  # 2020-01-01: when a file was copied would tell which came before which
_FILE, _FOLDER = 0o444, 0o555
_TWENTIETH = 20


def check_space(folder: Path, needed: int) -> None:
    """Raise Unusable unless the disk has room for so many bytes and a little more."""
    free = shutil.disk_usage(folder).free
    if free < needed + needed // 20:
        raise Unusable(f"expected {gigabytes(needed)} free at {folder}, found {gigabytes(free)}; make room there")


def gigabytes(size: int) -> str:
    """A number of bytes, for a person."""
    return f"{size / 1e9:.2f} GB"


def write_images(source: Path, images: Sequence[Placed], target: Path, *, tell: Tell) -> None:
    """Copy the images to where they are to lie below `target`, each checked to be the one that was described.

    Copied, not linked, in an order by lot: the number that a file system gives a file tells when it was made. Raises
    Unusable when a file has changed since.
    """
    order = list(images)
    random.SystemRandom().shuffle(order)
    for folder in dict.fromkeys(image.folder for image in order):
        (target / "val" / folder).mkdir(parents=True)
    step = max(1, len(order) // _TWENTIETH)
    for done, each in enumerate(order, 1):
        content = (source / each.image.file).read_bytes()
        if hashlib.sha256(content).hexdigest() != each.image.sha256:
            raise Unusable(f"expected {source / each.image.file} as it was a moment ago, found it changed; try again")
        (target / each.path).write_bytes(content)
        os.utime(target / each.path, (_ONE_TIME, _ONE_TIME))
        if done % step == 0 and len(order) >= 1000:
            tell(f"{done:,} of {len(order):,} images copied")


def close_tree(root: Path) -> None:
    """Give every file and folder below, and `root` itself, one time and modes to be read only, by everybody."""
    for folder, _, files in os.walk(root, topdown=False):
        for path, mode in [*((Path(folder) / name, _FILE) for name in files), (Path(folder), _FOLDER)]:
            path.chmod(mode)
            os.utime(path, (_ONE_TIME, _ONE_TIME))


def open_tree(root: Path) -> None:
    """Let the folders below, and `root` itself, be written by their owner again."""
    for folder, _, _ in os.walk(root):
        Path(folder).chmod(stat.S_IRWXU | stat.S_IRGRP | stat.S_IXGRP | stat.S_IROTH | stat.S_IXOTH)


def remove_tree(root: Path) -> None:
    """Remove the tree, if it is there."""
    if root.is_dir():
        open_tree(root)
        shutil.rmtree(root)


def is_whole(root: Path, names: Iterable[str]) -> bool:
    """Whether exactly these images, by their names, lie in the folders of the tree, and what belongs beside them."""
    lying = {path.stem for path in (root / "val").glob("*/*")} if root.is_dir() else set()
    return lying == set(names) and (root / "meta.bin").is_file()
