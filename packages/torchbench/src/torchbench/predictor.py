"""A stranger's model and its hooks as one function: a batch in, checked outputs on the processor out."""

import gc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch

from torchbench.checks import check_output, check_targets, takes_model
from torchbench.errors import OutOfMemory, OutputError

SendData = Callable[..., tuple[Any, Any]]
_MEMORY_WORDS = ("out of memory", "can't allocate memory", "not enough memory", "cannot allocate memory")


@dataclass
class Predictor:
    """Calls the model with batches, in smaller parts once memory ran out.

    `asked` is the largest batch that came in, `part` the number of images tried at once since memory ran out, None as
    long as it has not. `example` is the first image as the model was given it.
    """

    model: Any
    device: torch.device
    classes: int
    send_data: SendData
    transform_output: Callable[..., Any] | None = None
    tell: Callable[[str], None] = print
    part: int | None = field(default=None, init=False)
    asked: int = field(default=0, init=False)
    example: Any = field(default=None, init=False)

    def __call__(self, images: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        """Outputs `(B, classes)` on the processor for images `(B, ...)`.

        Halves the part and goes on when memory runs out; raises OutOfMemory when one image is too many or when the
        images are not what they were, OutputError when the output has the wrong form.
        """
        self.asked = max(self.asked, len(images))
        done: list[torch.Tensor] = []
        at = 0
        while at < len(images):
            size = self.part or len(images)
            before = _changes(images)
            try:
                done.append(self._forward(images[at : at + size], targets[at : at + size]))
                at += size
                continue
            except (RuntimeError, MemoryError) as error:
                if not _is_out_of_memory(error):
                    raise
                reason = str(error).splitlines()[0] if str(error) else type(error).__name__
            if size > 1:
                _require_unchanged(images, before, size, reason)
            self._halve(size, reason)
        return done[0] if len(done) == 1 else torch.cat(done)

    def _halve(self, size: int, reason: str) -> None:
        """Try half of `size` from now on; called outside of the handler, so that the failed tensors are free."""
        gc.collect()
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
        if size == 1:
            raise OutOfMemory(f"the model does not fit into memory with a single image ({reason})")
        self.part = (size + 1) // 2
        self.tell(f"Out of memory with {size} images at once; going on with {self.part} ({reason})")

    def _forward(self, images: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        sent, sent_targets = self._send(images, targets)
        output = self.call(sent)
        if self.transform_output is not None:
            extra = {"model": self.model} if takes_model(self.transform_output) else {}
            output = self.transform_output(output, sent_targets, **extra)
        if self.example is None:
            self.example = sent[:1] if isinstance(sent, torch.Tensor) else None
        giver = "the model" if self.transform_output is None else "model_output_transform"
        return check_output(output, batch=len(targets), classes=self.classes, giver=giver).detach().cpu()

    def _send(self, images: torch.Tensor, targets: torch.Tensor) -> tuple[Any, Any]:
        pair = self.send_data(images, targets, device=self.device)
        if not isinstance(pair, tuple | list) or len(pair) != 2:
            raise OutputError(
                f"expected send_data_to_device to return (input, target), got {type(pair).__name__}; "
                "end it with `return input, target`"
            )
        check_targets(pair[1], targets)
        return pair[0], pair[1]

    def call(self, images: Any) -> Any:
        """The model's own answer; an object without `__call__` is asked through `forward`."""
        return self.model(images) if callable(self.model) else self.model.forward(images)


def _is_out_of_memory(error: Exception) -> bool:
    return isinstance(error, MemoryError | torch.OutOfMemoryError) or any(
        words in str(error).lower() for words in _MEMORY_WORDS
    )


def _changes(images: torch.Tensor) -> int | None:
    """How often the batch, or a view of it, was written to by torch; None for a tensor that does not count that."""
    return None if images.is_inference() else images._version  # noqa: SLF001 - torch has no other name for it


def _require_unchanged(images: torch.Tensor, before: int | None, size: int, reason: str) -> None:
    """Raise OutOfMemory when the model has, or may have, worked on the images themselves before memory ran out.

    A clone for every call would spare the error, and cost every run the memory and the time of a batch.
    """
    what = f"out of memory with {size} images at once ({reason}), and they cannot be given to the model again"
    if before is None:
        raise OutOfMemory(
            f"{what}: under torch.inference_mode() nobody knows whether it changed them; pass batch_size={size // 2}, "
            "or leave inference_mode out, since no gradients are kept anyway"
        )
    if _changes(images) != before:
        raise OutOfMemory(
            f"{what}: it has changed them in place; pass batch_size={size // 2}, or let it work on a copy of its input"
        )


@contextmanager
def evaluating(model: Any) -> Iterator[None]:
    """Evaluation mode without gradients; every submodule gets its own training flag back, also after an error."""
    modules = list(model.modules()) if isinstance(model, torch.nn.Module) else []
    flags = [module.training for module in modules]
    try:
        if hasattr(model, "eval"):
            model.eval()
        with torch.no_grad():
            yield
    finally:
        for module, training in zip(modules, flags, strict=True):
            module.training = training
