"""Images that are resized and cropped already, written by this site's own job, which builds may only read."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from sotabench.server.benchmarks.base import torchbench
from sotabench.server.benchmarks.trees import close_tree, open_tree
from sotabench.server.errors import Invalid

_GEOMETRY = re.compile(r"(\d{1,4})/(\d{1,4})/(bilinear|bicubic|box|hamming|lanczos)")
_NO_LIMIT = 1_000_000  # gigabytes: what is asked for here is to be kept


@dataclass(frozen=True)
class Geometry:
    """Resize the shorter side to so many pixels by this filter, then crop the middle."""

    resize: int
    crop: int
    filter: str

    @classmethod
    def parse(cls, text: str) -> "Geometry":
        """From `256/224/bilinear`. Raises Invalid."""
        found = _GEOMETRY.fullmatch(text)
        if found is None or not 0 < int(found[2]) <= int(found[1]):
            raise Invalid(f"expected a geometry as RESIZE/CROP/FILTER, such as 256/224/bilinear, found {text[:40]!r}")
        return cls(int(found[1]), int(found[2]), found[3])

    def __str__(self) -> str:
        return f"{self.resize}/{self.crop}/{self.filter}"

    def bytes_of(self, images: int) -> int:
        """What so many images take on the disk."""
        return images * (self.crop * self.crop * 3 + 4)


COMMON = (Geometry(256, 224, "bilinear"), Geometry(256, 224, "bicubic"))


def prepare(tree: Path, folder: Path, geometries: Sequence[Geometry]) -> None:
    """Have the images of the tree prepared in each of these ways; what is there already stays.

    Raises Unusable, with what was finished kept, when the disk is full.
    """
    folder.mkdir(parents=True, exist_ok=True)
    open_tree(folder)
    try:
        if geometries:
            words = [word for each in geometries for word in ("--geometry", str(each))]
            torchbench("cache", "prepare", "--data-root", tree, "--folder", folder, "--limit", str(_NO_LIMIT), *words)
    finally:
        close_tree(folder)
