"""Benchmarks of image classification, a declarative file each."""

from torchbench.image_classification.imagenet import ImageNet

__all__ = ["ImageNet"]
