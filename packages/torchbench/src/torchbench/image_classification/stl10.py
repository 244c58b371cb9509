"""STL-10."""

import torchvision
from torchvision.transforms import Compose, Normalize, ToTensor

from torchbench.benchmark import ImageClassification


class STL10(ImageClassification):
    """STL-10 test split: 8,000 colour images of 96x96, ten classes (Coates, Lee and Ng, 2011)."""

    name = "STL-10"
    dataset = torchvision.datasets.STL10
    classes = 10
    size = 8_000
    data_root = "./.data/vision/stl10"
    normalize = Normalize((0.5, 0.5, 0.5), (0.5, 0.5, 0.5))
    input_transform = Compose([ToTensor(), normalize])
