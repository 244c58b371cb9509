"""Pillow's resize followed by a crop, bit for bit, computed only for the pixels that the crop keeps."""

import logging
from collections.abc import Callable
from functools import cache
from typing import Any, NamedTuple

import numpy as np
import PIL
from numpy.typing import NDArray
from PIL import Image

try:
    from torchbench.loading import _resample as native
except ImportError:  # installed without a compiler
    native = None  # type: ignore[assignment] # mypy knows no module that can be missing

Pixels = NDArray[np.uint8]
Size = tuple[int, int]
Window = tuple[int, int, int, int]


class Placement(NamedTuple):
    """Where an output lies: in an image resized to `resized` (width, height), the `box` (left, top, width, height)."""

    resized: Size
    box: Window


class Part(NamedTuple):
    """Pixels `(h, w, 3)` uint8 of an image of `size` (width, height), the first of them at `origin` (left, top)."""

    pixels: Pixels
    origin: Size
    size: Size

    @classmethod
    def whole(cls, pixels: Pixels) -> "Part":
        """All of an image."""
        return cls(pixels, (0, 0), (pixels.shape[1], pixels.shape[0]))


def resample(rgb: Pixels, resized: Size, interpolation: int, box: Window, out: Pixels) -> None:
    """Fill `out` `(height, width, 3)` with what Pillow gives for a resize to `resized` and a crop to `box`.

    `rgb` is `(H, W, 3)` uint8 with dense rows, `box` is (left, top, width, height), `interpolation` Pillow's number.
    Safe to call from many threads; other threads run meanwhile. Raises ValueError for what does not fit together.
    """
    resample_part(Part.whole(rgb), Placement(resized, box), interpolation, out)


def resample_part(part: Part, placement: Placement, interpolation: int, out: Pixels) -> None:
    """The same for a part of an image that covers the `source_window`; without the kernel only for a whole one."""
    order = _agreed_order()
    if order is None or interpolation not in FILTERS:
        out[:] = _by_pillow(part.pixels, placement, interpolation)
    else:
        _by_kernel(part, placement, interpolation, order, out)


def source_window(size: Size, resized: Size, interpolation: int, box: Window) -> Window:
    """The source pixels (left, top, right, bottom) that a crop of a resized image is computed from."""
    if _agreed_order() is None or interpolation not in FILTERS:
        return 0, 0, *size
    return native.source_window(size, resized, box, interpolation)


def backend() -> str:
    """What resizes, for the record: the kernel's instructions, or Pillow and why."""
    if _agreed_order() is not None:
        return f"torchbench kernel, {native.instructions()}"
    return f"Pillow {PIL.__version__}: {_obstacle()}"


FILTERS = (
    Image.Resampling.BOX,
    Image.Resampling.BILINEAR,
    Image.Resampling.HAMMING,
    Image.Resampling.BICUBIC,
    Image.Resampling.LANCZOS,
)
# Which pass comes first changes the last bit, and differs between Pillow's versions: by default the horizontal one.
# Each order says, for source and resized (width, height), whether an image is resized vertically first.
ORDERS: dict[str, Callable[[Size, Size], bool]] = {
    "13.0": lambda source, resized: source[1] - resized[1] > max(0, 2 * (source[0] - resized[0])),
    "12.3": lambda source, resized: source[1] > max(100 * source[0], resized[1]),
    "10.1": lambda _source, _resized: False,
}
# Source and resized sizes that tell the orders apart: both reduced, tall, enlarged, very tall, one side kept.
PROBES = (
    ((41, 33), (23, 17)),
    ((12, 45), (10, 17)),
    ((9, 11), (21, 18)),
    ((2, 211), (5, 20)),
    ((31, 15), (12, 15)),
    ((19, 28), (19, 11)),
)


@cache
def _agreed_order() -> str | None:
    """The order in which the kernel gives the installed Pillow's values on every probe, None when there is none."""
    if native is not None:
        for order in ORDERS:
            if all(_agrees(order, *probe, interpolation) for probe in PROBES for interpolation in FILTERS):
                return order
    logging.getLogger("torchbench").warning("images are resized by Pillow, slower and exact: %s", _obstacle())
    return None


def _obstacle() -> str:
    return "the native kernel was not compiled" if native is None else "this version differs from the native kernel"


def _agrees(order: str, source: Size, resized: Size, interpolation: int) -> bool:
    width, height = source
    rgb = (np.arange(width * height * 3, dtype=np.uint32) * 2654435761 >> 24).astype(np.uint8).reshape(height, width, 3)
    placement = Placement(resized, (1, 2, resized[0] - 2, resized[1] - 3))
    out = np.empty((resized[1] - 3, resized[0] - 2, 3), np.uint8)
    _by_kernel(Part.whole(rgb), placement, interpolation, order, out)
    return np.array_equal(out, _by_pillow(rgb, placement, interpolation))


def _by_kernel(part: Part, placement: Placement, interpolation: int, order: str, out: Pixels) -> None:
    vertical_first = ORDERS[order](part.size, placement.resized)
    scalar = False
    native.resample(*part, *placement, int(interpolation), vertical_first, scalar, out)


def _by_pillow(rgb: Pixels, placement: Placement, interpolation: int) -> NDArray[Any]:
    left, top, width, height = placement.box
    image = Image.fromarray(rgb).resize(placement.resized, Image.Resampling(interpolation))
    return np.asarray(image.crop((left, top, left + width, top + height)))
