"""From levels to values by table: exact because the table was made by the transform itself."""

import numpy as np
import torch

try:
    from torchbench.loading._normalise import look_up as _native
except ImportError:  # installed without a compiler: the same values, three times slower
    _native = None  # type: ignore[assignment] # mypy knows no module that can be missing

Levels = np.ndarray[tuple[int, int, int, int], np.dtype[np.uint8]]
Values = np.ndarray[tuple[int, int, int, int], np.dtype[np.float32]]
Table = np.ndarray[tuple[int, int], np.dtype[np.float32]]


def look_up(levels: Levels, table: Table, values: Values) -> None:
    """Fill `values` `(B, 3, h, w)` by `table` `(3, 256)` from `levels` `(B, h, w, 3)`; all are C-contiguous."""
    return look_up_in_numpy(levels, table, values) if _native is None else _native(levels, table, values, len(levels))


def look_up_in_numpy(levels: Levels, table: Table, values: Values) -> None:
    """`look_up` without the native kernel."""
    for channel in range(3):
        # mode="clip" spares numpy a copy of the output; a level is never outside the table
        np.take(table[channel], levels[..., channel], out=values[:, channel], mode="clip")


def look_up_on_device(levels: torch.Tensor, table: torch.Tensor) -> torch.Tensor:
    """Values `(B, 3, h, w)` of `levels` `(B, h, w, 3)` on the device of both; `table` `(3, 256)`.

    By table there too: an accelerator may divide by multiplying with a reciprocal, which moves the last bit.
    """
    channels = [table[channel].take(levels[..., channel].long()) for channel in range(3)]
    return torch.stack(channels, dim=1)
