"""Memory of batches, used again as soon as nobody holds the batch any more."""

import math
import weakref

import numpy as np
import torch


class BatchBuffers:
    """Tensors of one shape and dtype; the memory of a batch that was dropped serves the next one.

    Fresh memory for every batch costs the kernel a page fault for each 4 kB: more time than filling it takes.
    A caller who keeps every batch gets new memory every time. Pinned memory is left to torch, which knows when a copy
    to the accelerator has ended.
    """

    def __init__(self, shape: tuple[int, ...], dtype: torch.dtype, *, pinned: bool) -> None:
        self._shape = shape
        self._dtype = dtype
        self._pinned = pinned
        self._free: list[np.ndarray[tuple[int], np.dtype[np.uint8]]] = []
        self._bytes = math.prod(shape) * dtype.itemsize

    def take(self, length: int) -> torch.Tensor:
        """An uninitialised tensor whose first dimension is at most that of the shape."""
        shape = (length, *self._shape[1:])
        if self._pinned:
            return torch.empty(shape, dtype=self._dtype, pin_memory=True)
        memory = self._free.pop() if self._free else np.empty(self._bytes, np.uint8)
        lease = memory[: math.prod(shape) * self._dtype.itemsize]
        # The tensor and all its views keep this one array alive; it dies with the last of them.
        weakref.finalize(lease, self._free.append, memory).atexit = False
        return torch.from_numpy(lease).view(self._dtype).view(shape)
