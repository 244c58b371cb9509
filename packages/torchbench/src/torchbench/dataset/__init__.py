"""Finds and checks the data on disk, whatever its layout."""

from torchbench.dataset.imagenet import ImageNetReader
from torchbench.dataset.testset import Labels, Reader, TestSet
from torchbench.dataset.torchvision_sets import TorchvisionReader

__all__ = ["ImageNetReader", "Labels", "Reader", "TestSet", "TorchvisionReader"]
