"""The fast path proves itself before it is taken: same values as the transform, or the transform runs as written."""

import warnings
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from PIL import Image

from torchbench.errors import BrokenImage
from torchbench.loading.normalise import Levels, look_up_in_numpy
from torchbench.loading.pixels import ImagePixels, Pixels
from torchbench.loading.recipe import Recipe, Unrecognised

SIZES = ((37, 53), (64, 41), (7, 5))  # portrait, landscape, smaller than most crops


def prove_on_noise(recipe: Recipe, transform: Callable[[Any], Any]) -> None:
    """Raise Unrecognised when recipe and transform differ in one bit on small images of noise."""
    noise = np.random.default_rng(seed=0)
    images = [Image.fromarray(noise.integers(0, 256, (height, width, 3), np.uint8)) for width, height in SIZES]
    prove(recipe, transform, images, ImagePixels(images, recipe))


def prove_on_first(
    recipe: Recipe, transform: Callable[[Any], Any], images: Sequence[Image.Image], pixels: Pixels
) -> None:
    """Raise Unrecognised when `pixels`, decoder and kernel included, differ from the transform on the first image.

    A first image that is broken proves nothing; it is reported when its turn comes.
    """
    try:
        prove(recipe, transform, [images[0]], pixels)
    except BrokenImage:
        return


def prove(recipe: Recipe, transform: Callable[[Any], Any], images: Sequence[Image.Image], pixels: Pixels) -> None:
    """Raise Unrecognised when an image of `images` comes out differently from `pixels` and from the transform."""
    for index, image in enumerate(images):
        if image.mode != "RGB":
            raise Unrecognised(f"the images are in mode {image.mode}, and the fast path is for RGB")
        expected = _as_written(transform, image)
        found = _by_recipe(recipe, pixels, index)
        if expected.dtype != found.dtype or not torch.equal(expected, found):
            raise Unrecognised(f"the fast path differs from it on a {image.width}x{image.height} test image")


def _as_written(transform: Callable[[Any], Any], image: Image.Image) -> torch.Tensor:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what it warns of, it will say again if it runs as written
        try:
            result = transform(image)
        except (TypeError, ValueError, RuntimeError) as error:
            raise Unrecognised(f"it failed on a {image.width}x{image.height} test image ({error})") from error
    if not isinstance(result, torch.Tensor):
        raise Unrecognised(f"it gives {type(result).__qualname__}, no tensor")
    return result.as_subclass(torch.Tensor)


def _by_recipe(recipe: Recipe, pixels: Pixels, index: int) -> torch.Tensor:
    levels: Levels = np.empty((1, *recipe.output, 3), np.uint8)
    pixels.read(index, levels)
    if recipe.as_levels:
        return torch.from_numpy(levels[0]).permute(2, 0, 1)
    values = np.empty((1, 3, *recipe.output), np.float32)
    look_up_in_numpy(levels, recipe.table.numpy(), values)
    return torch.from_numpy(values[0])
