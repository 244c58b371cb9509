"""What can be said about a model without its answers: size, operations, number format, a digest of its weights."""

import copy
import hashlib
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from torchbench.texts import storable

_COUNTER = "torch.utils.flop_counter (matrix products, convolutions and attention)"
# What copying a model and asking the copy about other inputs than it was written for may raise.
FORWARD_ERRORS = (ArithmeticError, AssertionError, AttributeError, LookupError, RuntimeError, TypeError, ValueError)


@dataclass(frozen=True)
class ModelFacts:
    """Declared facts of a model; None where nothing was measured."""

    parameters: int | None = None
    dtype: str | None = None
    digest: str | None = None
    digest_note: str | None = None
    macs: int | None = None
    macs_counter: str | None = None
    macs_note: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """The facts that there are, as plain values."""
        return {name: value for name, value in asdict(self).items() if value is not None}


def describe_model(model: Any, example: Any) -> ModelFacts:
    """The facts of `model`; `example` is one image as the model was given it, or None.

    An object that is no `nn.Module` has no parameters that could be seen, so nothing is claimed about it.
    """
    if not isinstance(model, torch.nn.Module):
        return ModelFacts(macs_note="not an nn.Module, so nothing was counted")
    macs, note = count_macs(model, example)
    digest, digest_note = try_digest(model)
    dtypes = sorted({str(parameter.dtype).removeprefix("torch.") for parameter in model.parameters()})
    return ModelFacts(
        parameters=sum(parameter.numel() for parameter in model.parameters()),
        dtype="+".join(dtypes) or None,
        digest=digest,
        digest_note=digest_note,
        macs=macs,
        macs_counter=_COUNTER if macs is not None else None,
        macs_note=note,
    )


def try_digest(model: torch.nn.Module) -> tuple[str | None, str | None]:
    """`digest_of_weights`, or None and the reason why some tensor cannot be read."""
    try:
        return digest_of_weights(model), None
    except FORWARD_ERRORS as error:
        return None, f"could not be read: {_in_short(error)}"


def digest_of_weights(model: torch.nn.Module) -> str:
    """SHA-256 over all parameters and buffers: name, dtype, shape and bytes of each, in the order of their names.

    Of a sparse tensor it takes the layout, the places and the values, in the order of the places. Raises one of
    FORWARD_ERRORS when a tensor has no bytes that can be read.
    """
    digest = hashlib.sha256()
    tensors = {**dict(model.named_parameters()), **dict(model.named_buffers())}
    for name in sorted(tensors):
        tensor = tensors[name].detach().cpu()
        digest.update(f"{name}\0{tensor.dtype}\0{tuple(tensor.shape)}\0".encode())
        if tensor.layout is not torch.strided:
            digest.update(f"{tensor.layout}\0".encode())
        for part in _strided_parts(tensor):
            digest.update(part.contiguous().reshape(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()


def _strided_parts(tensor: torch.Tensor) -> tuple[torch.Tensor, ...]:
    """The tensors in memory that make up one, whatever its layout."""
    if tensor.layout is torch.sparse_coo:
        ordered = tensor.coalesce()
        return ordered.indices(), ordered.values()
    if tensor.layout in {torch.sparse_csr, torch.sparse_bsr}:
        return tensor.crow_indices(), tensor.col_indices(), tensor.values()
    if tensor.layout in {torch.sparse_csc, torch.sparse_bsc}:
        return tensor.ccol_indices(), tensor.row_indices(), tensor.values()
    return (tensor.int_repr() if tensor.is_quantized else tensor,)


def _in_short(error: Exception) -> str:
    """The kind of an error and the first line of what it says."""
    lines = str(error).splitlines()
    return storable(f"{type(error).__name__}: {lines[0] if lines else ''}", limit=500)


def copy_sharing_weights(model: torch.nn.Module) -> torch.nn.Module:
    """The model once more, with the same tensors: what a call changes in its attributes stays in the copy."""
    return copy.deepcopy(model, {id(tensor): tensor for tensor in (*model.parameters(), *model.buffers())})


def count_macs(model: torch.nn.Module, example: Any) -> tuple[int | None, str | None]:
    """Multiply-accumulate operations for one image, or None and the reason why they could not be counted.

    One multiplication with its addition is one MAC, half of what the counter calls a FLOP. The forward pass runs on a
    copy that shares the weights, so whatever the model counts or remembers stays as it was; attention runs as the plain
    products that its fused kernels stand for, which not every torch counts.
    """
    if not isinstance(example, torch.Tensor):
        return None, "the model's input is not a single tensor"
    fused = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)  # the fused attention layer would be counted as nothing
    counter = FlopCounterMode(display=False)
    try:
        duplicate = copy_sharing_weights(getattr(model, "_orig_mod", model))  # a compiled module keeps the original
        with torch.no_grad(), sdpa_kernel(SDPBackend.MATH), counter:
            duplicate.eval()(example)
    except FORWARD_ERRORS as error:
        return None, f"could not be counted: {_in_short(error)}"
    finally:
        torch.backends.mha.set_fastpath_enabled(fused)
    total = counter.get_total_flops()
    return (total // 2, None) if total else (None, "no operation that the counter knows")
