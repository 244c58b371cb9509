"""Image files to RGB, bit for bit as Pillow decodes them, faster where the file is a plain JPEG."""

import io
import logging
import threading
from functools import cache
from importlib.metadata import version
from pathlib import Path

import numpy as np
import PIL
import simplejpeg
from PIL import Image, UnidentifiedImageError

from torchbench.errors import BrokenImage
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
    return decode_any(data, source) if part is None else part.pixels.copy()


def decoder() -> str:
    """What decodes, for the record: the decoders in the order in which they are tried, with their versions."""
    own = ["torchbench"] if _native_agrees() else []
    other = [f"simplejpeg {version('simplejpeg')}"] if _simplejpeg_agrees() else []
    return ", else ".join([*own, *other, f"Pillow {PIL.__version__}"])


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


def decode_any(data: bytes, source: Source) -> Pixels:
    """The image of any file that Pillow opens; `source` is what an error names."""
    fast = _by_simplejpeg(data) if _simplejpeg_agrees() else None
    if fast is not None:
        return fast
    try:
        return _by_pillow(data)
    except (OSError, SyntaxError, ValueError, UnidentifiedImageError, Image.DecompressionBombError) as error:
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
    except (OSError, SyntaxError, ValueError):
        return False


def _by_simplejpeg(data: bytes) -> Pixels | None:
    """The pixels of a JPEG of one or three components without the slightest complaint, else None."""
    if not data.startswith(b"\xff\xd8\xff"):
        return None
    try:
        height, width, colours, _ = simplejpeg.decode_jpeg_header(data)
        size = int(width), int(height)
        if colours not in ("YCbCr", "Gray") or not _fits_pillow(*size) or not _opens_as_jpeg(data, size):
            return None
        return np.asarray(simplejpeg.decode_jpeg(data, "RGB"))
    except (ValueError, KeyError):  # KeyError: a sampling that simplejpeg has no name for
        return None


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
    logging.getLogger("torchbench").warning("JPEGs are decoded whole, slower and exact: the native decoder %s", reason)
    return False


@cache
def _simplejpeg_agrees() -> bool:
    return all(_agrees(simplejpeg.decode_jpeg(data, "RGB"), data) for data in _samples())


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
    return (*(_encoded(image, subsampling) for subsampling in range(3)), _encoded(image.convert("L"), 0))


def _encoded(image: Image.Image, subsampling: int) -> bytes:
    file = io.BytesIO()
    image.save(file, "JPEG", quality=92, subsampling=subsampling)
    return file.getvalue()
