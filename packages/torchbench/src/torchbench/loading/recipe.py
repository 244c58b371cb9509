"""What a recognised transform does to an image: a geometry, a filter, and a value for each of the 256 levels."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from PIL import Image
from torchvision.transforms import InterpolationMode

from torchbench.loading import steps as known
from torchbench.loading.geometry import Geometry

_FILTERS = {
    InterpolationMode.BOX: Image.Resampling.BOX,
    InterpolationMode.BILINEAR: Image.Resampling.BILINEAR,
    InterpolationMode.HAMMING: Image.Resampling.HAMMING,
    InterpolationMode.BICUBIC: Image.Resampling.BICUBIC,
    InterpolationMode.LANCZOS: Image.Resampling.LANCZOS,
}


class Unrecognised(Exception):  # noqa: N818 - an answer, not an error of anyone
    """The transform has to run as it is written; the message completes "because"."""


@dataclass(frozen=True)
class Recipe:
    """Resize with `filter`, crop, then look every level up in `table` `(3, 256)`: float32, or uint8 unchanged."""

    geometry: Geometry
    filter: Image.Resampling
    table: torch.Tensor

    @property
    def output(self) -> tuple[int, int]:
        """(height, width) of every result."""
        assert self.geometry.output is not None  # noqa: S101 - read_recipe makes no other
        return self.geometry.output

    @property
    def as_levels(self) -> bool:
        """Whether the transform hands over the levels themselves, as uint8."""
        return self.table.dtype == torch.uint8

    def describe(self) -> dict[str, object]:
        """The recipe as plain JSON values."""
        values = str(self.table.dtype).removeprefix("torch.")
        return {"geometry": self.geometry.describe(), "filter": self.filter.name.lower(), "values": values}


def read_recipe(transform: Any) -> Recipe:
    """The recipe of a transform; raises Unrecognised with the reason when it is none that is known."""
    steps = known.steps_of(transform)
    resize = steps.pop(0) if steps and known.is_a(steps[0], known.RESIZES) else None
    crop = steps.pop(0) if steps and known.is_a(steps[0], known.CROPS) else None
    geometry = Geometry(*_resize(resize), None if crop is None else _pair(crop.size))
    table = _table(steps)
    if geometry.output is None:
        raise Unrecognised("without a CenterCrop, or a Resize to (height, width), images keep different sizes")
    return Recipe(geometry, _filter(resize), table)


def _resize(step: Any) -> tuple[int | tuple[int, int] | None, int | None]:
    """Size and longest side of a Resize step, where torchvision would not refuse them."""
    if step is None:
        return None, None
    size, longest = step.size, step.max_size
    if isinstance(size, Sequence) and len(size) == 1:
        size = size[0]
    if isinstance(size, Sequence):
        size = _pair(size)
    pair_with_longest = isinstance(size, tuple) and longest is not None
    too_short = isinstance(size, int) and longest is not None and longest <= size
    if not isinstance(size, int | tuple | None) or pair_with_longest or too_short:
        raise Unrecognised(f"{step} is not a size that is known to work")
    return size, longest


def _pair(size: Sequence[Any]) -> tuple[int, int]:
    if len(size) != 2 or not all(isinstance(side, int) and side > 0 for side in size):
        raise Unrecognised(f"{size} is not a (height, width) of whole numbers")
    return size[0], size[1]


def _filter(step: Any) -> Image.Resampling:
    """The Pillow filter of a Resize step, however it is spelled; any will do where nothing is resized."""
    if step is None:
        return Image.Resampling.BILINEAR
    spelled = step.interpolation
    for mode, resampling in _FILTERS.items():
        if spelled in (mode, resampling) or (isinstance(spelled, str) and spelled == mode.value):
            return resampling
    raise Unrecognised(f"the interpolation {spelled} has no fast path")


def _table(steps: list[Any]) -> torch.Tensor:
    """The value of every level, by sending an image of all 256 levels through the very steps; see Unrecognised."""
    if not steps or not known.makes_tensor(steps[0]):
        raise Unrecognised(_expected("ToTensor, PILToTensor or ToImage", steps))
    for step in steps[1:]:
        if not known.is_a(step, known.POINTWISE):
            raise Unrecognised(_expected("Normalize or a change of dtype", [step]))
    levels: Any = Image.fromarray(np.repeat(np.arange(256, dtype=np.uint8), 3).reshape(1, 256, 3))
    try:
        for step in steps:
            levels = step(levels)
    except (TypeError, ValueError, RuntimeError) as error:
        raise Unrecognised(f"its last steps failed on a test image ({error})") from error
    return _checked(levels.as_subclass(torch.Tensor))


def _checked(levels: torch.Tensor) -> torch.Tensor:
    if levels.shape != (3, 1, 256):
        raise Unrecognised(f"its last steps change the shape of an image to {tuple(levels.shape)}")
    table = levels.reshape(3, 256).contiguous()
    unchanged = torch.arange(256, dtype=torch.uint8).expand(3, 256)
    if table.dtype != torch.float32 and not (table.dtype == torch.uint8 and torch.equal(table, unchanged)):
        raise Unrecognised(f"it gives values of {table.dtype}")
    return table


def _expected(what: str, steps: list[Any]) -> str:
    found = f"{type(steps[0]).__module__}.{type(steps[0]).__qualname__}" if steps else "the end of the transform"
    return f"{what} was expected, {found} was found"
