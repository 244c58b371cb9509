"""The last step on an accelerator: a quarter of the bytes cross the bus, and the device looks the values up."""

from collections.abc import Generator

import torch

from torchbench.loading.normalise import look_up_on_device


def on_device(batches: Generator[torch.Tensor], table: torch.Tensor, device: torch.device) -> Generator[torch.Tensor]:
    """Values `(B, 3, h, w)` on `device` of levels `(B, h, w, 3)` in pinned memory.

    The copy of a batch is on its way while the caller works on the one before. Written for CUDA and never run there
    by this project's own tests, which have no accelerator.
    """
    table = table.to(device)
    stream = torch.cuda.Stream(device) if device.type == "cuda" else None  # type: ignore[no-untyped-call] # torch's
    coming = None
    for levels in batches:
        with torch.cuda.stream(stream):
            arriving = levels.to(device, non_blocking=True), None if stream is None else stream.record_event()
        if coming is not None:
            yield _values(*coming, table)
        coming = arriving
    if coming is not None:
        yield _values(*coming, table)


def _values(levels: torch.Tensor, arrived: torch.cuda.Event | None, table: torch.Tensor) -> torch.Tensor:
    if arrived is not None:
        here = torch.cuda.current_stream(levels.device)
        here.wait_event(arrived)
        levels.record_stream(here)  # the memory belongs to the other stream and is read on this one
    if table.dtype == torch.uint8:
        return levels.permute(0, 3, 1, 2).contiguous()
    return look_up_on_device(levels, table)
