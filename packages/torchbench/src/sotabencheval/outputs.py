"""What a person hands over as a model's outputs, of whatever library, as one array."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch.utils.dlpack import from_dlpack

from torchbench.errors import ArgumentError, OutputError
from torchbench.evaluate import as_numpy

Array = NDArray[Any]


def as_outputs(names: Sequence[Any], output_dict: Any, outputs: Any, classes: int) -> Array:
    """The outputs of the images `names`, `(B, classes)`: `outputs` of the whole batch, else the values of the dict.

    Raises ArgumentError when there are neither, OutputError when their shape is another or they are no real numbers.
    """
    if outputs is not None:
        return batch(outputs, len(names), classes)
    if isinstance(output_dict, Mapping):
        return stacked(names, output_dict.values(), classes)
    raise ArgumentError(
        f"expected add({{image_id: outputs}}) or add(image_ids, outputs), got a {type(output_dict).__name__} alone"
    )


def stacked(names: Sequence[Any], rows: Iterable[Any], classes: int) -> Array:
    """The outputs of single images, each `(classes,)`, as `(B, classes)`; they leave their device together.

    Raises OutputError that names the first image whose outputs have another shape or are no real numbers.
    """
    converted = [
        row if isinstance(row, torch.Tensor) else as_array(row, repr(name))
        for name, row in zip(names, rows, strict=True)
    ]
    for name, row in zip(names, converted, strict=True):
        if tuple(row.shape) != (classes,):
            hint = _row_hint(tuple(row.shape), classes)
            raise OutputError(f"expected {classes:,} outputs for {name!r}, got shape {tuple(row.shape)}{hint}")
    tensors = [row for row in converted if isinstance(row, torch.Tensor)]
    if len(tensors) == len(converted):
        return as_array(torch.stack(tensors))
    return np.stack([as_array(row) if isinstance(row, torch.Tensor) else row for row in converted])


def batch(outputs: Any, size: int, classes: int) -> Array:
    """The outputs of a whole batch as an array `(size, classes)`; raises OutputError for any other shape."""
    found = as_array(outputs)
    if found.shape == (size, classes):
        return found
    hint = "; one row an image id, one column a class are needed"
    if found.shape[:1] == (size,):
        hint = _row_hint(found.shape[1:], classes)
    raise OutputError(f"expected outputs of shape {(size, classes)}, got {found.shape}{hint}")


def as_array(outputs: Any, of: str = "this batch") -> Array:
    """The same values as an array in main memory; bfloat16, which numpy lacks, is widened to float32.

    Takes torch tensors, whatever exports DLPack or has `__array__` (numpy, JAX, TensorFlow, CuPy), and nested lists.
    Raises OutputError, naming the images they are `of`, when they are not real numbers in a regular shape.
    """
    try:
        imported = outputs if isinstance(outputs, np.ndarray | torch.Tensor) else _imported(outputs)
    except (TypeError, ValueError) as error:
        raise OutputError(f"expected the outputs for {of} as numbers, got {type(outputs).__name__}: {error}") from error
    found = as_numpy(imported.detach().cpu()) if isinstance(imported, torch.Tensor) else imported
    if found.dtype.kind in "fiu":
        return found
    if found.dtype.kind == "b":
        return found.astype(np.uint8)
    if found.dtype.name == "bfloat16":  # numpy has no such type of its own; JAX and TensorFlow bring theirs
        return found.astype(np.float32)
    raise OutputError(
        f"expected the outputs for {of} as real numbers, got {type(outputs).__name__} of {found.dtype}; "
        "pass the array of logits or probabilities itself"
    )


def _imported(outputs: Any) -> Array | torch.Tensor:
    if hasattr(outputs, "__array__") or not hasattr(outputs, "__dlpack__"):
        try:
            return np.asarray(outputs)
        except TypeError:  # CuPy has `__array__` and refuses to be copied by it
            if not hasattr(outputs, "__dlpack__"):
                raise
    tensor: torch.Tensor = from_dlpack(outputs)
    return tensor


def _row_hint(shape: tuple[int, ...], classes: int) -> str:
    if shape == ():
        return f"; a single number tells one class at most, and all {classes:,} outputs are needed"
    if np.prod(shape) == classes:
        return "; flatten them: output.reshape(-1) for an image, output.reshape(len(output), -1) for a batch"
    if shape == (classes + 1,):
        return "; is one class the background? If it is the first, pass output[..., 1:]"
    return f"; does the model's head have {classes:,} classes?"
