"""A crop of a resized image file in one call: decoded and resized only where the crop is."""

from collections.abc import Callable
from pathlib import Path

from torchbench.loading.decode import decode_by_pillow, decode_part, plain_size, read
from torchbench.loading.resample import Part, Pixels, Placement, Size, resample_part, source_window

__all__ = ["Placement", "load_crop"]

Place = Callable[[int, int], Placement]


def load_crop(path: Path, place: Place, interpolation: int, out: Pixels) -> None:
    """Fill `out` `(height, width, 3)` uint8 with a crop of an image file, as Pillow decodes, resizes and crops it.

    `place(width, height)` says for the size of the source where the output lies; what it raises passes through.
    Safe to call from many threads. Raises BrokenImage when the file cannot be decoded to its last row.
    """
    data = read(path)
    size = plain_size(data)
    part = None if size is None else _needed_part(data, size, place(*size), interpolation)
    if part is None:
        part = Part.whole(decode_by_pillow(data, path))
    resample_part(part, place(*part.size), interpolation, out)


def _needed_part(data: bytes, size: Size, placement: Placement, interpolation: int) -> Part | None:
    window = source_window(size, placement.resized, interpolation, placement.box)
    return decode_part(data, size, window)
