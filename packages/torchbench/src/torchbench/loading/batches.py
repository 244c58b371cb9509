"""Batches of images in the data set's order: the one call that chooses how they are made."""

from collections.abc import Iterator, Sequence
from types import TracebackType
from typing import Any, Protocol, Self

import torch
from PIL import Image

from torchbench.loading.as_written import AsWrittenBatches
from torchbench.loading.options import LoadingOptions
from torchbench.loading.plan import Plan, read_transform


class Batches(Protocol):
    """Batches `(B, ...)` of every image exactly once, in the data set's order, without labels.

    Each iteration starts over. Leaving the `with` block, or `close()`, ends every thread and process.
    """

    plan: Plan

    def __len__(self) -> int:
        """Number of batches."""
        ...

    def __iter__(self) -> Iterator[torch.Tensor]: ...

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    def close(self) -> None:
        """End every thread and process of iterations that were left half way."""
        ...


def open_batches(images: Sequence[Image.Image], transform: Any, options: LoadingOptions) -> Batches:
    """The batches of `images` under `transform`, by the fastest way that gives the transform's own values."""
    return AsWrittenBatches(images, transform, options, read_transform(transform))
