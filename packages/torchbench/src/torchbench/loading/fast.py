"""Batches filled by threads: every image goes straight to its place in a batch that was allocated once."""

import math
import threading
import weakref
from collections.abc import Callable, Generator
from concurrent.futures import Executor, Future
from contextlib import AbstractContextManager
from types import TracebackType
from typing import Any, Self

import numpy as np
import torch

from torchbench.loading.buffers import BatchBuffers
from torchbench.loading.normalise import Levels, look_up
from torchbench.loading.on_device import on_device
from torchbench.loading.options import LoadingOptions
from torchbench.loading.pixels import Pixels
from torchbench.loading.plan import Plan
from torchbench.loading.recipe import Recipe
from torchbench.loading.threads import in_order

AHEAD = 64  # images, at least, that are being loaded while the caller works on a batch


class FastBatches:
    """The batches of images by a recipe; see `Batches`.

    `open_pass` gives the pixels for one pass over all `count` images and is left when the pass ends, however it ends.
    """

    def __init__(
        self,
        open_pass: Callable[[], AbstractContextManager[Pixels]],
        count: int,
        recipe: Recipe,
        options: LoadingOptions,
        plan: Plan,
    ) -> None:
        self.plan = plan
        self._open_pass = open_pass
        self._count = count
        self._recipe = recipe
        self._options = options
        self._layout = _Layout.of(recipe, options)
        self._scratch = threading.local()
        self._running: weakref.WeakSet[Generator[torch.Tensor]] = weakref.WeakSet()

    def __len__(self) -> int:
        return math.ceil(self._count / self._options.batch_size)

    def __iter__(self) -> Generator[torch.Tensor]:
        batches = self._one_pass()
        self._running.add(batches)
        return batches

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Stop the threads of every pass that was left half way."""
        for batches in list(self._running):
            batches.close()

    def _one_pass(self) -> Generator[torch.Tensor]:
        options = self._options
        size = (options.batch_size, *self._layout.shape)
        buffers = BatchBuffers(size, self._layout.dtype, pinned=options.pinned)
        with self._open_pass() as pixels:

            def start(pool: Executor, number: int) -> tuple[torch.Tensor, list[Future[None]]]:
                return self._start(pool, pixels, buffers, number)

            ahead = math.ceil(max(AHEAD, 4 * options.num_workers * pixels.piece) / options.batch_size)
            batches = in_order(len(self), start, options.num_workers, ahead)
            if options.accelerator is None:
                yield from batches
            else:
                yield from on_device(batches, self._recipe.table, options.accelerator)

    def _start(
        self, pool: Executor, pixels: Pixels, buffers: BatchBuffers, number: int
    ) -> tuple[torch.Tensor, list[Future[None]]]:
        """Batch `number` in its memory, and the pieces of work that fill it."""
        first = number * self._options.batch_size
        length = min(self._options.batch_size, self._count - first)
        batch = buffers.take(length)
        rows = batch.numpy()
        pieces = [
            pool.submit(self._fill, pixels, first + start, rows[start : start + pixels.piece])
            for start in range(0, length, pixels.piece)
        ]
        return batch, pieces

    def _fill(self, pixels: Pixels, first: int, rows: np.ndarray[Any, Any]) -> None:
        if self._layout.channels_last:
            pixels.read(first, rows)
            return
        levels = self._levels(len(rows), pixels.piece)
        pixels.read(first, levels)
        if self._recipe.as_levels:
            np.copyto(rows, levels.transpose(0, 3, 1, 2))
        else:
            look_up(levels, self._recipe.table.numpy(), rows)

    def _levels(self, length: int, most: int) -> Levels:
        """Memory for the levels of a piece, one for each thread: it stays in the cache of that thread's core."""
        if getattr(self._scratch, "most", 0) != most:
            self._scratch.most = most
            self._scratch.levels = np.empty((most, *self._recipe.output, 3), np.uint8)
        levels: Levels = self._scratch.levels[:length]
        return levels


class _Layout:
    """What a batch holds: values `(3, h, w)`, or for an accelerator levels `(h, w, 3)`, a quarter as large."""

    def __init__(self, shape: tuple[int, ...], dtype: torch.dtype, *, channels_last: bool) -> None:
        self.shape = shape
        self.dtype = dtype
        self.channels_last = channels_last

    @classmethod
    def of(cls, recipe: Recipe, options: LoadingOptions) -> Self:
        if options.accelerator is not None:
            return cls((*recipe.output, 3), torch.uint8, channels_last=True)
        return cls((3, *recipe.output), recipe.table.dtype, channels_last=False)
