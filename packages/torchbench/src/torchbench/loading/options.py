"""How images are to be loaded; what they become is the transform's business."""

from dataclasses import dataclass
from pathlib import Path

import torch

from torchbench.errors import ArgumentError


@dataclass(frozen=True)
class LoadingOptions:
    """Speed and memory of loading; no field here changes a value of a batch.

    `num_workers` counts loading threads or processes (0: the calling thread loads). `device` is an accelerator that is
    to receive the batches of a fast plan; as written, they stay in main memory, like those for the processor. `cache`
    is the folder of prepared images, which may hold `cache_bytes`. Nothing is cached without `fingerprint`, the test
    set's, and `in_order`, a digest of the contents of these very images one after the other.
    """

    batch_size: int
    num_workers: int
    pin_memory: bool = False
    device: torch.device | None = None
    cache: Path | None = None
    fingerprint: str | None = None
    in_order: str | None = None
    cache_bytes: int = 20_000_000_000

    def __post_init__(self) -> None:
        if self.batch_size < 1:
            raise ArgumentError(f"expected batch_size of at least 1, got {self.batch_size}")
        if self.num_workers < 0:
            raise ArgumentError(f"expected num_workers of at least 0, got {self.num_workers}; 0 loads without helpers")

    @property
    def accelerator(self) -> torch.device | None:
        """Where finished batches go, or None for main memory."""
        return None if self.device is None or self.device.type == "cpu" else self.device

    @property
    def pinned(self) -> bool:
        """Whether batches are put in page-locked memory: it is asked for or needed, and there is CUDA to read it."""
        return (self.pin_memory or self.accelerator is not None) and torch.cuda.is_available()
