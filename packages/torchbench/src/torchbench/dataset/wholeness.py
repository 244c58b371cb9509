"""Whether bytes are a whole image: a look at both ends, and where that does not tell, Pillow decodes them."""

import io
import struct

from PIL import Image, UnidentifiedImageError

JPEG_START, JPEG_END = b"\xff\xd8\xff", b"\xff\xd9"
PNG_START, PNG_END = b"\x89PNG\r\n\x1a\n", b"IEND"
NEAR_THE_END = 64  # some encoders pad, some cameras append a few bytes
UNWRITTEN = bytes(1024)  # how a copy ends whose space was reserved and never filled
LFS_POINTER = b"version https://git-lfs"


def why_broken(data: bytes) -> str | None:
    """Why these bytes are no whole image, in a few words, or None when they are one.

    A hole in the middle of a file whose ends are right is not noticed here, nor by Pillow in general.
    """
    if data.startswith(JPEG_START) and JPEG_END in data[-NEAR_THE_END:]:
        return None
    if data.startswith(PNG_START) and PNG_END in data[-NEAR_THE_END:]:
        return None
    return _why_no_image(data) or _why_not_decoded(data)


def _why_no_image(data: bytes) -> str | None:
    start = data[:512].lstrip().lower()
    if not data:
        return "empty (0 bytes)"
    if data.startswith(LFS_POINTER):
        return "a git-lfs pointer, not the image itself (`git lfs pull` fetches it)"
    if start.startswith((b"<!doctype html", b"<html", b"<?xml", b"<head")):
        return "a web page, not an image (a download that failed)"
    if data.endswith(UNWRITTEN):
        return "nothing but zero bytes at its end (an interrupted copy)"
    return None


def _why_not_decoded(data: bytes) -> str | None:
    """What Pillow says when it decodes everything as the evaluation does."""
    try:
        with Image.open(io.BytesIO(data)) as image:
            image.convert("RGB")
    except UnidentifiedImageError:
        if data.startswith((JPEG_START, PNG_START)):
            return f"truncated ({len(data):,} bytes, the header is not complete)"
        return f"not an image (begins with {data[:8]!r})"
    except (OSError, SyntaxError, ValueError, EOFError, struct.error, Image.DecompressionBombError) as error:
        kind = "truncated" if "truncated" in str(error).lower() else "cannot be decoded"
        return f"{kind} ({len(data):,} bytes; {error})"
    return None
