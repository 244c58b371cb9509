"""Image files to RGB, bit for bit as Pillow decodes them, faster where the file is a plain JPEG."""

import io
import logging
import threading
from functools import cache
from importlib.metadata import version
from pathlib import Path

import numpy as np
import PIL
from PIL import Image

from torchbench.errors import BrokenImage
from torchbench.images import PILLOW_ERRORS
from torchbench.loading.resample import Part, Pixels, Size, Window

try:
    from torchbench.loading import _jpeg as native
except ImportError:  # installed without a compiler
    native = None  # type: ignore[assignment] # mypy knows no module that can be missing

Source = Path | bytes


def decode_rgb(source: Source) -> Pixels:
    """The image `(H, W, 3)` uint8, EXIF orientation ignored as torchvision's `pil_loader` does.

    Raises BrokenImage, naming the file, when it cannot be decoded to its last row.
    """
    data = read(source)
    size = plain_size(data)
    part = None if size is None else decode_part(data, size, (0, 0, *size))
    return decode_by_pillow(data, source) if part is None else part.pixels.copy()


def decoder() -> str:
    """What decodes, for the record: our decoder and what it leaves to Pillow, or Pillow alone."""
    pillow = f"Pillow {PIL.__version__}"
    return f"torchbench {version('torchbench')}, else {pillow}" if _native_agrees() else pillow


def read(source: Source) -> bytes:
    """The bytes of a file; raises BrokenImage when it cannot be read."""
    if isinstance(source, bytes):
        return source
    try:
        return source.read_bytes()
    except OSError as error:
        raise _broken(source, error) from error


def plain_size(data: bytes) -> Size | None:
    """(width, height) of a JPEG that `decode_part` can be tried on."""
    header = native.header(data) if _native_agrees() else None
    if header is None:
        return None
    width, height, metadata = header
    if not _fits_pillow(width, height) or (metadata and not _opens_as_jpeg(data, (width, height))):
        return None
    return width, height


def decode_part(data: bytes, size: Size, window: Window) -> Part | None:
    """The window (left, top, right, bottom) of a JPEG of a plain size, or None where its bits are not in order.

    The pixels are this thread's, and good until its next call.
    """
    left, top, right, bottom = window
    pixels = _scratch.pixels(right - left, bottom - top)
    return Part(pixels, (left, top), size) if native.decode(data, window, pixels) else None


def decode_by_pillow(data: bytes, source: Source) -> Pixels:
    """The image of any file that Pillow opens; `source` is what an error names."""
    try:
        return _by_pillow(data)
    except PILLOW_ERRORS as error:
        raise _broken(source, error) from error


class _Scratch(threading.local):
    """Memory that a thread decodes into again and again: fresh pages cost as much as a tenth of the decoding."""

    LARGEST = 1 << 25

    def __init__(self) -> None:
        self.bytes = np.empty(1 << 20, np.uint8)

    def pixels(self, width: int, height: int) -> Pixels:
        size = width * height * 3
        if size > self.LARGEST:
            return np.empty((height, width, 3), np.uint8)
        if size > len(self.bytes):
            self.bytes = np.empty(size, np.uint8)
        return self.bytes[:size].reshape(height, width, 3)


_scratch = _Scratch()


def _fits_pillow(width: int, height: int) -> bool:
    """Whether Pillow opens an image of this size without a word about decompression bombs."""
    return Image.MAX_IMAGE_PIXELS is None or width * height <= Image.MAX_IMAGE_PIXELS


def _opens_as_jpeg(data: bytes, size: Size) -> bool:
    """Whether Pillow accepts the metadata, and does not take the file for several pictures."""
    try:
        with Image.open(io.BytesIO(data)) as image:
            return image.format == "JPEG" and image.size == size
    except PILLOW_ERRORS:
        return False


def _by_pillow(data: bytes) -> Pixels:
    with Image.open(io.BytesIO(data)) as image:
        return np.asarray(image.convert("RGB"))


def _broken(source: Source, error: Exception) -> BrokenImage:
    name = source if isinstance(source, Path) else "the image"
    return BrokenImage(f"{name} cannot be decoded: {error}; copy this file again from the source")


@cache
def _native_agrees() -> bool:
    """Whether our decoder gives the installed Pillow's values: its libjpeg may be of another family."""
    if native is not None and all(_agrees(_natively(data), data) for data in _samples()):
        return True
    reason = "was not compiled" if native is None else "differs from this version of Pillow"
    logging.getLogger("torchbench").warning(
        "JPEGs are decoded by Pillow, slower and exact: the native decoder %s", reason
    )
    return False


def _agrees(pixels: Pixels | None, data: bytes) -> bool:
    return pixels is not None and np.array_equal(pixels, _by_pillow(data))


def _natively(data: bytes) -> Pixels | None:
    header = native.header(data)
    if header is None:
        return None
    pixels = np.empty((header[1], header[0], 3), np.uint8)
    return pixels if native.decode(data, (0, 0, header[0], header[1]), pixels) else None


@cache
def _samples() -> tuple[bytes, ...]:
    """Small JPEGs that show how a decoder transforms, enlarges chroma and converts colours."""
    levels = (np.arange(37 * 43 * 3, dtype=np.uint32) * 2654435761 >> 24).astype(np.uint8).reshape(37, 43, 3)
    levels[:20] = levels[:20, :1] // 2 + np.arange(43, dtype=np.uint8)[:, None]
    image = Image.fromarray(levels)
    pictures = [(image, subsampling) for subsampling in range(3)] + [(image.convert("L"), 0)]
    return tuple(_encoded(*picture, progressive) for picture in pictures for progressive in (False, True))


def _encoded(image: Image.Image, subsampling: int, progressive: bool) -> bytes:  # noqa: FBT001 - Pillow's own option
    file = io.BytesIO()
    image.save(file, "JPEG", quality=92, subsampling=subsampling, progressive=progressive)
    return file.getvalue()
