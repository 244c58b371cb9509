"""Finds the images of a test set by whatever people call them."""

import os
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from torchbench.dataset.names import image_number
from torchbench.dataset.scan import is_image_name, some
from torchbench.errors import ArgumentError

Places = NDArray[np.int64]


class ImageIndex:
    """The place of each image in `ids`, by its id, its path, or a validation image's official number."""

    def __init__(self, ids: Sequence[str]) -> None:
        self._ids = ids
        self._places = {name: place for place, name in enumerate(ids)}
        numbers = ((_number(name.rpartition("/")[2]), place) for place, name in enumerate(ids))
        self._by_number = {number: place for number, place in numbers if number is not None}

    def places(self, names: Sequence[Any]) -> Places:
        """`(B,)`; raises ArgumentError that shows some of the names that are of no image."""
        try:
            found = [self._place(os.fsdecode(name)) for name in names]
        except TypeError as error:
            raise ArgumentError(f"expected the ids of images as text, such as {self._ids[0]!r}: {error}") from error
        unknown = [str(name) for name, place in zip(names, found, strict=True) if place is None]
        if unknown:
            raise ArgumentError(
                f"expected ids of the {len(self._ids):,} images that are evaluated, such as {self._ids[0]!r}, got "
                f"{len(unknown):,} of {len(names):,} that are none: {some(map(repr, unknown))}; "
                "if these images are in another folder, pass it as root"
            )
        return np.array(found, dtype=np.int64)

    def _place(self, name: str) -> int | None:
        """By the shortest end of the path that is an id: the file's name, else with the folders before it."""
        parts = name.replace("\\", "/").split("/")
        for start in range(len(parts) - 1, -1, -1):
            tail = "/".join(parts[start:])
            bare = tail.rpartition(".")[0] if is_image_name(tail) else tail
            place = self._places.get(bare, self._places.get(tail))
            if place is not None:
                return place
        number = _number(parts[-1])
        return None if number is None else self._by_number.get(number)


def _number(stem: str) -> int | None:
    return image_number(stem if is_image_name(stem) else f"{stem}.JPEG")
