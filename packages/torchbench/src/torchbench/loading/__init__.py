"""From image files to batches: fast where the values stay the same to the last bit, as written elsewhere."""

from torchbench.loading.batches import Batches, open_batches
from torchbench.loading.options import LoadingOptions
from torchbench.loading.plan import Plan, explain, read_transform

__all__ = ["Batches", "LoadingOptions", "Plan", "explain", "open_batches", "read_transform"]
