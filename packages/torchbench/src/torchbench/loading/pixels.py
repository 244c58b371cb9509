"""Where the levels of an image come from: decoded and cropped, one image after the other, into a given place."""

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import numpy as np
import PIL
from PIL import Image

from torchbench.images import open_rgb
from torchbench.loading.crop import Placement, load_crop
from torchbench.loading.decode import decoder
from torchbench.loading.geometry import overhangs
from torchbench.loading.normalise import Levels
from torchbench.loading.recipe import Recipe
from torchbench.loading.resample import backend

Crop = np.ndarray[tuple[int, int, int], np.dtype[np.uint8]]


class Pixels(Protocol):
    """A source of uint8 crops by index; `read` is called from several threads at once, for `piece` images or fewer."""

    @property
    def piece(self) -> int:
        """How many images are worth a piece of work."""
        ...

    def read(self, first: int, levels: Levels) -> None:
        """Fill `levels` `(k, h, w, 3)` with the crops `first` to `first + k`, or raise the error of one of them."""
        ...

    def describe(self) -> dict[str, str]:
        """What decodes and what resizes, for the record."""
        ...


class ImagePixels:
    """The crops of images that are in memory, or that only Pillow is to open."""

    piece = 1

    def __init__(self, images: Sequence[Image.Image], recipe: Recipe) -> None:
        self._images = images
        self._recipe = recipe

    def read(self, first: int, levels: Levels) -> None:
        """See Pixels."""
        for index, out in enumerate(levels, start=first):
            place_image(self._images[index], self._recipe, out)

    def describe(self) -> dict[str, str]:
        """See Pixels."""
        return {"decoder": "Pillow", "kernel": "Pillow", "pillow": PIL.__version__}


class FilePixels:
    """The crops of image files; raises BrokenImage, which names the file."""

    piece = 1

    def __init__(self, paths: Sequence[Path], recipe: Recipe) -> None:
        self._paths = paths
        self._recipe = recipe

    def read(self, first: int, levels: Levels) -> None:
        """See Pixels."""
        for index, out in enumerate(levels, start=first):
            try:
                load_crop(self._paths[index], self._inside, self._recipe.filter, out)
            except _Overhang:
                place_image(open_rgb(self._paths[index]), self._recipe, out)

    def describe(self) -> dict[str, str]:
        """See Pixels."""
        return {"decoder": decoder(), "kernel": backend(), "pillow": PIL.__version__}

    def _inside(self, width: int, height: int) -> Placement:
        placement = self._recipe.geometry.place(width, height)
        if overhangs(placement):
            raise _Overhang
        return placement


class _Overhang(Exception):  # noqa: N818 - a way out of load_crop, caught where it was called
    """The crop is larger than the resized image; padding is rare enough to be left to Pillow."""


def place_image(image: Image.Image, recipe: Recipe, out: Crop) -> None:
    """Resize and crop an RGB image by Pillow into `out` `(h, w, 3)`; what lies outside of it is black."""
    placement = recipe.geometry.place(*image.size)
    if placement.resized != image.size:
        image = image.resize(placement.resized, recipe.filter)
    left, top, width, height = placement.box
    out[...] = np.asarray(image.crop((left, top, left + width, top + height)))
