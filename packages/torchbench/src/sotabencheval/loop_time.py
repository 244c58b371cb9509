"""How long a loop took that somebody else runs."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch

from torchbench.environment import describe_environment, peak_memory, reset_peak_memory


class LoopTime:
    """Seconds from the beginning to the end of the last batch, and how many of them this library took."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Begin anew, memory included."""
        self._begin = self._end = time.perf_counter()
        self._scoring, self._samples = 0.0, 0
        if torch.cuda.is_available():
            reset_peak_memory(torch.device("cuda"))

    @contextmanager
    def scoring(self, samples: int) -> Iterator[None]:
        """Count `samples` images, and the time inside as this library's, unless an error ends it."""
        entered = time.perf_counter()
        yield
        self._end = time.perf_counter()
        self._scoring += self._end - entered
        self._samples += samples

    def describe(self) -> dict[str, Any]:
        """As records carry it; empty when no image came in since the beginning."""
        total = self._end - self._begin
        if not self._samples:
            return {}
        return {
            "samples_per_second": self._samples / total,
            "seconds": {"loop": total - self._scoring, "scoring": self._scoring},
            "memory": peak_memory(device_in_use()),
        }


def device_in_use() -> torch.device:
    """The accelerator where torch had tensors, else the processor; what other libraries use it does not know."""
    used = torch.cuda.is_available() and torch.cuda.max_memory_allocated() > 0
    return torch.device("cuda" if used else "cpu")


def describe_machine() -> dict[str, Any]:
    """Where the loop ran; without a device unless it is known to be an accelerator."""
    device = device_in_use()
    facts = describe_environment(device)
    if device.type == "cpu":
        del facts["device"]
    return facts
