"""CIFAR-10."""

import torchvision
from torchvision.transforms import Compose, Normalize, ToTensor

from torchbench.benchmark import ImageClassification


class CIFAR10(ImageClassification):
    """CIFAR-10 test split: 10,000 colour images of 32x32, ten classes (Krizhevsky, 2009)."""

    name = "CIFAR-10"
    dataset = torchvision.datasets.CIFAR10
    classes = 10
    size = 10_000
    data_root = "./.data/vision/cifar10"
    normalize = Normalize((0.5, 0.5, 0.5), (0.5, 0.5, 0.5))
    input_transform = Compose([ToTensor(), normalize])
