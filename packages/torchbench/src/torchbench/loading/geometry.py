"""Where a transform's crop lies in an image, in torchvision's own arithmetic."""

from dataclasses import dataclass

from torchbench.errors import ArgumentError
from torchbench.loading.resample import Placement


@dataclass(frozen=True)
class Geometry:
    """Resize, then CenterCrop; either may be missing.

    `resize` is one number for the shorter side, a (height, width) pair, or None; `longest` bounds the longer side
    (and alone, in torchvision's second generation, determines it); `crop` is a (height, width) pair or None.
    """

    resize: int | tuple[int, int] | None = None
    longest: int | None = None
    crop: tuple[int, int] | None = None

    @property
    def output(self) -> tuple[int, int] | None:
        """(height, width) of every result, or None where it depends on the image."""
        if self.crop is not None:
            return self.crop
        return self.resize if isinstance(self.resize, tuple) else None

    def place(self, width: int, height: int) -> Placement:
        """The size an image is resized to, and the box of the result in it: outside of it is black.

        Raises ArgumentError when a side of the image would vanish.
        """
        new_width, new_height = self._resized(width, height)
        if new_width < 1 or new_height < 1:
            raise ArgumentError(f"{width}x{height} pixels would be resized to {new_width}x{new_height}")
        crop_height, crop_width = self.crop or (new_height, new_width)
        left, top = _centred(new_width, crop_width), _centred(new_height, crop_height)
        return Placement((new_width, new_height), (left, top, crop_width, crop_height))

    def describe(self) -> dict[str, object]:
        """The geometry as plain JSON values."""
        sizes = {"resize": self.resize, "crop": self.crop}
        plain: dict[str, object] = {
            name: list(size) if isinstance(size, tuple) else size for name, size in sizes.items()
        }
        return plain | {"longest": self.longest}

    def _resized(self, width: int, height: int) -> tuple[int, int]:
        if isinstance(self.resize, tuple):
            return self.resize[1], self.resize[0]
        short, long = sorted((width, height))
        if self.resize is not None:
            short, long = self.resize, int(self.resize * long / short)
        if self.longest is not None and (long > self.longest or self.resize is None):
            short, long = int(self.longest * short / long), self.longest
        return (short, long) if width <= height else (long, short)


def overhangs(placement: Placement) -> bool:
    """Whether the box reaches outside the resized image, where the result is black."""
    (width, height), (left, top, box_width, box_height) = placement.resized, placement.box
    return left < 0 or top < 0 or left + box_width > width or top + box_height > height


def _centred(length: int, crop: int) -> int:
    """Offset of a centred crop; a shorter image is padded first, the odd pixel behind."""
    padding = (crop - length) // 2 if crop > length else 0
    padded = max(length, crop)
    return round((padded - crop) / 2) - padding
