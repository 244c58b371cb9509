"""Which transforms are known by heart: taken apart into steps, each of an exact type that nobody has altered."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn
from torchvision import transforms as v1
from torchvision.transforms import v2
from torchvision.transforms._presets import ImageClassification

from torchbench.errors import ArgumentError

COMPOSITIONS = (v1.Compose, v2.Compose)
RESIZES = (v1.Resize, v2.Resize)
CROPS = (v1.CenterCrop, v2.CenterCrop)
TO_TENSOR = (v1.ToTensor, v1.PILToTensor, v2.ToTensor, v2.PILToTensor, v2.ToImage)
POINTWISE = (v1.ConvertImageDtype, v1.Normalize, v2.ConvertImageDtype, v2.ToDtype, v2.ToPureTensor, v2.Normalize)

# timm's are recognised without importing timm, which takes seconds.
TIMM_TO_TENSOR = ("timm.data.transforms.MaybeToTensor", "timm.data.transforms.MaybePILToTensor")

Transform = Callable[[Any], Any]

_METHODS = ("__call__", "forward", "transform")


def as_callable(transform: Any) -> Transform:
    """One function for a transform, a list of transforms or None.

    Raises ArgumentError when it is none of these.
    """
    if isinstance(transform, list | tuple):
        steps = [as_callable(step) for step in transform]
        return _Steps(steps)
    if transform is None:
        return _Steps([])
    if not callable(transform):
        raise ArgumentError(f"expected input_transform to be a callable or a list of them, got {transform!r}")
    return transform  # type: ignore[no-any-return] # whatever it is, it can be called


def steps_of(transform: Any) -> list[Any]:
    """The single steps of a transform, in order, out of compositions, lists and the presets of weights."""
    if isinstance(transform, list | tuple):
        inner = list(transform)
    elif not is_untouched(transform):
        return [transform]
    elif type(transform) in COMPOSITIONS:
        inner = list(transform.transforms)
    elif type(transform) is nn.Sequential:
        inner = list(transform)
    elif type(transform) is ImageClassification:
        return _preset(transform)
    else:
        return [transform]
    return [step for part in inner for step in steps_of(part)]


def is_a(step: Any, types: tuple[type, ...]) -> bool:
    """Whether a step is of exactly one of these types (no subclass) and does what its class was shipped to do."""
    return type(step) in types and is_untouched(step)


def makes_tensor(step: Any) -> bool:
    """Whether a step turns an image into a tensor of its values."""
    name = f"{type(step).__module__}.{type(step).__qualname__}"
    return is_a(step, TO_TENSOR) or (name in TIMM_TO_TENSOR and is_untouched(step))


def is_untouched(step: Any) -> bool:
    """Whether nobody replaced a method of the object or its class, or hung a hook on it."""
    if any(name in getattr(step, "__dict__", {}) for name in _METHODS):
        return False
    if isinstance(step, nn.Module) and (step._forward_hooks or step._forward_pre_hooks):  # noqa: SLF001 - no public view
        return False
    package = type(step).__module__.partition(".")[0]
    return all(_home(getattr(type(step), name, None), package) for name in _METHODS)


def _home(method: Callable[..., Any] | None, package: str) -> bool:
    """Whether a method comes from the package of its class, or from torch, whose modules call `forward`."""
    if method is None:
        return True
    return str(getattr(method, "__module__", "")).partition(".")[0] in (package, "torch", "torchvision")


def _preset(preset: ImageClassification) -> list[Any]:
    """The steps that the preset of a set of weights takes for an image that is not a tensor yet."""
    return [
        v1.Resize(preset.resize_size, preset.interpolation, antialias=preset.antialias),
        v1.CenterCrop(preset.crop_size),
        v1.PILToTensor(),
        v1.ConvertImageDtype(torch.float32),
        v1.Normalize(preset.mean, preset.std),
    ]


@dataclass(frozen=True)
class _Steps:
    """Transforms one after the other."""

    steps: list[Transform]

    def __call__(self, image: Any) -> Any:
        for step in self.steps:
            image = step(image)
        return image
