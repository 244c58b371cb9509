"""CIFAR-100."""

import torchvision
from torchvision.transforms import Compose, Normalize, ToTensor

from torchbench.benchmark import ImageClassification


class CIFAR100(ImageClassification):
    """CIFAR-100 test split: 10,000 colour images of 32x32, a hundred fine classes (Krizhevsky, 2009)."""

    name = "CIFAR-100"
    dataset = torchvision.datasets.CIFAR100
    classes = 100
    size = 10_000
    data_root = "./.data/vision/cifar100"
    normalize = Normalize((0.5, 0.5, 0.5), (0.5, 0.5, 0.5))
    input_transform = Compose([ToTensor(), normalize])
