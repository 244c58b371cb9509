"""MNIST."""

import torchvision
from torchvision.transforms import Compose, Normalize, ToTensor

from torchbench.benchmark import ImageClassification


class MNIST(ImageClassification):
    """MNIST test split: 10,000 grey images of 28x28, the ten digits (LeCun, Bottou, Bengio and Haffner, 1998).

    A model gets one channel, `(B, 1, 28, 28)`.
    """

    name = "MNIST"
    dataset = torchvision.datasets.MNIST
    classes = 10
    size = 10_000
    mode = "L"
    data_root = "./.data/vision/mnist"
    normalize = Normalize((0.1307,), (0.3081,))
    input_transform = Compose([ToTensor(), normalize])
