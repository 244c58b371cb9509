"""Evaluate PyTorch models on benchmarks: correct to the last image, exact, plain about what was measured."""

from importlib.metadata import version

from torchbench.loading import explain

__all__ = ["explain"]
__version__ = version("torchbench")
