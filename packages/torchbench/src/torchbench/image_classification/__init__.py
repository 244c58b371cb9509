"""Benchmarks of image classification, a declarative file each."""

from torchbench.image_classification.cifar10 import CIFAR10
from torchbench.image_classification.cifar100 import CIFAR100
from torchbench.image_classification.imagenet import ImageNet
from torchbench.image_classification.mnist import MNIST
from torchbench.image_classification.stl10 import STL10
from torchbench.image_classification.svhn import SVHN

__all__ = ["CIFAR10", "CIFAR100", "MNIST", "STL10", "SVHN", "ImageNet"]
