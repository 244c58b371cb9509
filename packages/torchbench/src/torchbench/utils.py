"""The helpers that existing `sotabench.py` files import, under the names and signatures they know."""

import inspect
from collections.abc import Callable, Sequence
from typing import Any

import torch

from torchbench.errors import ArgumentError


def default_data_to_device(
    input: torch.Tensor,  # noqa: A002 - the name is public
    target: torch.Tensor | None = None,
    device: torch.device | str = "cuda",
    non_blocking: bool = True,  # noqa: FBT001, FBT002 - the signature is public
) -> tuple[torch.Tensor, torch.Tensor | None]:
    """Send a batch and its targets to a device; what `send_data_to_device` does by default."""
    input = input.to(device=device, non_blocking=non_blocking)  # noqa: A001
    if target is not None:
        target = target.to(device=device, non_blocking=non_blocking)
    return input, target


def default_device() -> torch.device:
    """The accelerator that is there (`cuda`, then `mps`), else the processor."""
    if torch.cuda.is_available():
        return torch.device("cuda")
    return torch.device("mps" if torch.backends.mps.is_available() else "cpu")


def checked_device(device: torch.device | str | None) -> torch.device:
    """The device that was asked for, or the default one; ArgumentError when this machine does not have it."""
    if device is None:
        return default_device()
    try:
        wanted = torch.device(device)
    except RuntimeError as error:
        raise ArgumentError(f"expected a device such as 'cuda' or 'cpu', got {device!r}") from error
    present = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if not present.get(wanted.type, True) or (wanted.index or 0) >= max(1, torch.cuda.device_count()):
        raise ArgumentError(
            f"device={str(wanted)!r} was asked for and this machine has no such device; "
            f'pass device="cpu", or leave device out to use what is there ({default_device()})'
        )
    return wanted


def send_model_to_device(
    model: Any, num_gpu: int = 1, device: torch.device | str | None = None
) -> tuple[Any, torch.device]:
    """Put a model on a device, on several GPUs where `num_gpu` says so; returns the model and the device.

    An object without `.to` is returned as it is, and so is one whose `.to` returns nothing. Several GPUs are driven by
    `torch.nn.DataParallel`, which splits each batch; that path has not been run by our own tests, which have no GPU.
    """
    chosen = checked_device(device)
    if num_gpu > 1:
        if chosen.type != "cuda" or torch.cuda.device_count() < num_gpu:
            raise ArgumentError(
                f"num_gpu={num_gpu} was asked for and this machine has {torch.cuda.device_count()} for CUDA; "
                "pass num_gpu=1"
            )
        model = torch.nn.DataParallel(model, device_ids=list(range(num_gpu)))
    return _moved(model, chosen), chosen


def _moved(model: Any, device: torch.device) -> Any:
    """The model where its own `.to` puts it; ArgumentError when that takes no device."""
    move = getattr(model, "to", None)
    if not callable(move):
        return model
    if _takes(move, device=device):
        moved = move(device=device)
    elif _takes(move, device):
        moved = move(device)
    else:
        raise ArgumentError(
            f"expected model.to(device) to put the model on a device, found that of {type(model).__name__} takes none; "
            "let it take one, or give it another name"
        )
    return model if moved is None else moved


def _takes(function: Callable[..., Any], *arguments: Any, **named: Any) -> bool:
    """Whether a function can be called like this; taken for granted where it does not tell."""
    try:
        signature = inspect.signature(function)
    except ValueError:  # a built-in without a signature
        return True
    try:
        signature.bind(*arguments, **named)
    except TypeError:
        return False
    return True


class AverageMeter:
    """The last value and the running mean of a series, each value weighted by its count `n`."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Forget the series."""
        self.val: float = 0
        self.avg: float = 0
        self.sum: float = 0
        self.count: int = 0

    def update(self, val: float, n: int = 1) -> None:
        """Add `val`, which stands for `n` samples."""
        self.val = val
        self.sum += val * n
        self.count += n
        self.avg = self.sum / self.count if self.count else 0


def accuracy(output: torch.Tensor, target: torch.Tensor, topk: Sequence[int] = (1,)) -> list[torch.Tensor]:
    """Top-k accuracy of a batch in percent, a tensor of one float for each k.

    Ties go to the lowest class index, and NaN is never the best. `output` is `(B, C)`, `target` `(B,)` class indices.
    """
    output = output.nan_to_num(nan=-torch.inf, posinf=torch.inf, neginf=-torch.inf)
    ranked = output.sort(dim=1, descending=True, stable=True).indices[:, : max(topk)]
    hits = ranked.eq(target.to(ranked.dtype).reshape(-1, 1))
    return [hits[:, :k].sum().float().mul(100.0 / target.shape[0]) for k in topk]
