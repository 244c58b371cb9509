"""The images of a test set as the loaders see them: a sequence that knows its files, and no labels."""

import struct
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import overload

from PIL import Image

from torchbench.errors import BrokenImage

# What Pillow's many decoders raise for files that they cannot read: AVIF's, a bare RuntimeError.
PILLOW_ERRORS = (
    OSError,
    SyntaxError,
    ValueError,
    EOFError,
    RuntimeError,
    struct.error,
    Image.DecompressionBombError,
)


class ImageFiles(Sequence[Image.Image]):
    """Image files in evaluation order; indexing opens one as RGB, exactly as torchvision's `pil_loader` does."""

    def __init__(self, paths: Sequence[Path]) -> None:
        self.paths = paths  # kept as it is: it may make its 50,000 paths one by one, when they are asked for

    def __len__(self) -> int:
        return len(self.paths)

    def __iter__(self) -> Iterator[Image.Image]:
        return (self[index] for index in range(len(self)))

    @overload
    def __getitem__(self, index: int) -> Image.Image: ...
    @overload
    def __getitem__(self, index: slice) -> "ImageFiles": ...
    def __getitem__(self, index: int | slice) -> "Image.Image | ImageFiles":
        """One image in RGB, or the files of a slice.

        Raises BrokenImage, naming the file, when it cannot be decoded to its last row.
        """
        if isinstance(index, slice):
            return ImageFiles(self.paths[index])
        return open_rgb(self.paths[index])


def open_rgb(path: Path) -> Image.Image:
    """Decode one file to RGB, EXIF orientation ignored as torchvision does; raises BrokenImage with the reason."""
    try:
        with path.open("rb") as file, Image.open(file) as image:
            return image.convert("RGB")
    except PILLOW_ERRORS as error:
        raise BrokenImage(f"{path} cannot be decoded: {error}; copy this file again from the source") from error
