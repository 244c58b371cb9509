"""Benchmarks of image classification, a declarative file each."""

from torchbench.image_classification.cifar10 import CIFAR10
from torchbench.image_classification.cifar100 import CIFAR100
from torchbench.image_classification.imagenet import ImageNet
from torchbench.image_classification.imagenet_a import ImageNetA, ImageNetAControl
from torchbench.image_classification.imagenet_r import ImageNetR, ImageNetRControl
from torchbench.image_classification.imagenet_real import ImageNetReaL
from torchbench.image_classification.imagenet_sketch import ImageNetSketch
from torchbench.image_classification.imagenet_v2 import ImageNetV2, ImageNetV2Threshold, ImageNetV2TopImages
from torchbench.image_classification.mnist import MNIST
from torchbench.image_classification.stl10 import STL10
from torchbench.image_classification.svhn import SVHN

__all__ = [
    "CIFAR10",
    "CIFAR100",
    "MNIST",
    "STL10",
    "SVHN",
    "ImageNet",
    "ImageNetA",
    "ImageNetAControl",
    "ImageNetR",
    "ImageNetRControl",
    "ImageNetReaL",
    "ImageNetSketch",
    "ImageNetV2",
    "ImageNetV2Threshold",
    "ImageNetV2TopImages",
]
