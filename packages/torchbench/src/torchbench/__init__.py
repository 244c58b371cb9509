"""Evaluate PyTorch models on benchmarks: correct to the last image, exact, plain about what was measured."""

from importlib.metadata import version

__version__ = version("torchbench")
