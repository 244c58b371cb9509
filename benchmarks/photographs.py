"""A test set of as many images as are wanted, made of hard links to a few real photographs.

TORCHBENCH_BENCH_IMAGES names a folder with JPEG photographs (else build/photographs/val). A photograph whose name or
folder begins with a WordNet id keeps its class, others are spread over the classes.
"""

import os
import re
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from torchbench.dataset.labels import wnids

BUILD = Path(__file__).resolve().parent.parent / "build"


@contextmanager
def linked(count: int) -> Iterator[Path]:
    """A folder with `count` images as val/<wnid>/..., removed afterwards together with what was written beside them.

    It lies under build/, on a disk even where temporary files lie in memory.
    """
    photographs = _photographs()[:count]
    BUILD.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=BUILD, prefix="bench-") as folder:
        root = Path(folder)
        originals = [_copied(photograph, root, number) for number, photograph in enumerate(photographs)]
        for number in range(count):
            source = originals[number % len(originals)]
            os.link(source, source.with_name(f"{source.stem}-{number:05d}.JPEG"))
        for original in originals:
            original.unlink()
        yield root


def _photographs() -> list[Path]:
    folder = Path(os.environ.get("TORCHBENCH_BENCH_IMAGES") or BUILD / "photographs" / "val")
    found = sorted(path for path in folder.rglob("*") if path.suffix.lower() in {".jpg", ".jpeg"})
    if not found:
        sys.exit(f"no JPEG in {folder}; name a folder of photographs by TORCHBENCH_BENCH_IMAGES, or run make bench")
    return found


def _copied(photograph: Path, root: Path, number: int) -> Path:
    """A copy of a photograph in its class's folder: links cannot reach across file systems."""
    named = re.search(r"(?:^|/)(n\d{8})[_/]", photograph.as_posix())
    wnid = named[1] if named and named[1] in wnids() else wnids()[number * 37 % len(wnids())]
    target = root / "val" / wnid / f"{number:03d}.JPEG"
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(photograph, target)
    return target


def number_of_photographs() -> int:
    """How many different ones there are."""
    return len(_photographs())


def describe(count: int) -> str:
    """What the images are, for a table's notes."""
    found = _photographs()
    mean = sum(path.stat().st_size for path in found) / len(found) / 1000
    return f"{count:,} images: links to {len(found)} photographs, mean {mean:.0f} kB, in the page cache"
