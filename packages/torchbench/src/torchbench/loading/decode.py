"""Image files to RGB, bit for bit as Pillow decodes them, faster where the file is a plain JPEG."""

import io
from importlib.metadata import version
from pathlib import Path

import numpy as np
import PIL
import simplejpeg
from PIL import Image, UnidentifiedImageError

from torchbench.errors import BrokenImage
from torchbench.loading.resample import Pixels

Source = Path | bytes


def decode_rgb(source: Source) -> Pixels:
    """The image `(H, W, 3)` uint8, EXIF orientation ignored as torchvision's `pil_loader` does.

    Raises BrokenImage, naming the file, when it cannot be decoded to its last row.
    """
    data = read(source)
    fast = _by_simplejpeg(data)
    return _by_pillow(data, source) if fast is None else fast


def decoder() -> str:
    """What decodes, for the record: the fast decoder and, for what it leaves alone, Pillow."""
    return f"simplejpeg {version('simplejpeg')}, else Pillow {PIL.__version__}"


def read(source: Source) -> bytes:
    """The bytes of a file; raises BrokenImage when it cannot be read."""
    if isinstance(source, bytes):
        return source
    try:
        return source.read_bytes()
    except OSError as error:
        raise _broken(source, error) from error


def _by_simplejpeg(data: bytes) -> Pixels | None:
    """The pixels of a JPEG of one or three components without the slightest complaint, else None."""
    if not data.startswith(b"\xff\xd8\xff"):
        return None
    try:
        height, width, colours, _ = simplejpeg.decode_jpeg_header(data)
        if colours not in ("YCbCr", "Gray") or not fits_pillow(int(width), int(height)):
            return None
        return np.asarray(simplejpeg.decode_jpeg(data, "RGB"))
    except ValueError:
        return None


def fits_pillow(width: int, height: int) -> bool:
    """Whether Pillow opens an image of this size without a word about decompression bombs."""
    return Image.MAX_IMAGE_PIXELS is None or width * height <= Image.MAX_IMAGE_PIXELS


def _by_pillow(data: bytes, source: Source) -> Pixels:
    try:
        with Image.open(io.BytesIO(data)) as image:
            return np.asarray(image.convert("RGB"))
    except (OSError, SyntaxError, ValueError, UnidentifiedImageError, Image.DecompressionBombError) as error:
        raise _broken(source, error) from error


def _broken(source: Source, error: Exception) -> BrokenImage:
    name = source if isinstance(source, Path) else "the image"
    return BrokenImage(f"{name} cannot be decoded: {error}; copy this file again from the source")
