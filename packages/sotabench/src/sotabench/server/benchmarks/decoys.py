"""How a copy of a data set is drawn: which number and which folder every image gets, so that neither tells its class.

Both follow from a secret of the site and the image's own bytes, so that they are the same whenever the copy is made
again, from whatever layout. The folders are classes drawn by lot, in the sizes that the real classes have: which
classes have images, and which image lies in which, is independent of what the images show. What the sizes themselves
tell (how many classes there are, how many images each has) is not hidden.
"""

import hashlib
import hmac
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import repeat


@dataclass(frozen=True)
class Image:
    """An image as it came: its own id, its file below the set's folder, the index of its class, its file's SHA-256."""

    id: str
    file: str
    label: int
    sha256: str


@dataclass(frozen=True)
class Placed:
    """An image with the name and the folder under which builds see it."""

    image: Image
    seen: str
    folder: str

    @property
    def path(self) -> str:
        """Where it lies below the copy's folder."""
        return f"val/{self.folder}/{self.seen}.JPEG"


def placed(images: Sequence[Image], classes: Sequence[str], *, secret: str) -> list[Placed]:
    """Every image with its number and its folder, in the order of the numbers."""
    named = list(_unique(images))
    by_number = sorted(named, key=lambda item: _lot(secret, "number", item[0]))
    numbers = {name: f"ILSVRC2012_val_{number:08d}" for number, (name, _) in enumerate(by_number, 1)}
    by_folder = sorted(named, key=lambda item: _lot(secret, "folder", item[0]))
    folders = dict(zip((name for name, _ in by_folder), _folders(images, classes, secret=secret), strict=True))
    return [Placed(image, numbers[name], folders[name]) for name, image in by_number]


def _unique(images: Sequence[Image]) -> Iterator[tuple[str, Image]]:
    """A name for each image by its bytes alone; of images with the same bytes, by their order too."""
    seen: Counter[str] = Counter()
    for image in sorted(images, key=lambda image: image.id):
        seen[image.sha256] += 1
        yield f"{image.sha256}/{seen[image.sha256]}", image


def _folders(images: Sequence[Image], classes: Sequence[str], *, secret: str) -> Iterator[str]:
    """A folder for each image: classes by lot, the largest first, each as often as a class has images."""
    sizes = sorted(Counter(image.label for image in images).values(), reverse=True)
    of_the_set = hashlib.sha256("".join(sorted(image.sha256 for image in images)).encode()).hexdigest()
    drawn = sorted(classes, key=lambda name: _lot(secret, "class", f"{of_the_set}/{name}"))
    for name, size in zip(drawn, sizes, strict=False):
        yield from repeat(name, size)


def _lot(secret: str, purpose: str, name: str) -> bytes:
    return hmac.digest(secret.encode(), f"{purpose}/{name}".encode(), "sha256")
