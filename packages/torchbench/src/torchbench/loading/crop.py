"""A crop of a resized image file in one call: decoded once, resized only where the crop is."""

from collections.abc import Callable
from pathlib import Path

from torchbench.loading.decode import decode_rgb
from torchbench.loading.resample import Pixels, Placement, resample

__all__ = ["Placement", "load_crop"]


def load_crop(path: Path, place: Callable[[int, int], Placement], interpolation: int, out: Pixels) -> None:
    """Fill `out` `(height, width, 3)` uint8 with a crop of an image file, as Pillow decodes, resizes and crops it.

    `place(width, height)` says for the size of the source where the output lies; what it raises passes through.
    Raises BrokenImage when the file cannot be decoded to its last row.
    """
    rgb = decode_rgb(path)
    resized, box = place(rgb.shape[1], rgb.shape[0])
    resample(rgb, resized, interpolation, box, out)
