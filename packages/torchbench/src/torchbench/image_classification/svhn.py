"""SVHN."""

import torchvision
from torchvision.transforms import Compose, Normalize, ToTensor

from torchbench.benchmark import ImageClassification


class SVHN(ImageClassification):
    """SVHN test split: 26,032 cropped house numbers of 32x32, ten digits, 0 is class 0 (Netzer et al., 2011)."""

    name = "SVHN"
    dataset = torchvision.datasets.SVHN
    classes = 10
    size = 26_032
    data_root = "./.data/vision/svhn"
    normalize = Normalize((109.9 / 255, 109.7 / 255, 113.8 / 255), (50.1 / 255, 50.6 / 255, 50.8 / 255))
    input_transform = Compose([ToTensor(), normalize])
