"""Finds and checks the data on disk, whatever its layout."""

from torchbench.dataset.testset import Labels, Reader, TestSet

__all__ = ["Labels", "Reader", "TestSet"]
