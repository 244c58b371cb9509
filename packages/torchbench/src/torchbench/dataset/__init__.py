"""Finds and checks the data on disk, whatever its layout."""

from torchbench.dataset.class_folder_sets import ClassFolderReader
from torchbench.dataset.imagenet import ImageNetReader
from torchbench.dataset.subclasses import subclasses
from torchbench.dataset.testset import Labels, Reader, TestSet
from torchbench.dataset.torchvision_sets import TorchvisionReader

__all__ = ["ClassFolderReader", "ImageNetReader", "Labels", "Reader", "TestSet", "TorchvisionReader", "subclasses"]
