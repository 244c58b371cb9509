"""ImageNet-Sketch: drawings in black and white."""

import torchvision

from torchbench.dataset import ClassFolderReader
from torchbench.image_classification.thousand_classes import ThousandClasses


class ImageNetSketch(ThousandClasses):
    """ImageNet-Sketch: 50,889 sketches of the 1,000 classes, about fifty of each (Wang et al., 2019, arXiv:1905.13549).

    Top 1 and Top 5 over all 1,000 classes, as on ImageNet itself.
    """

    key = "sketch"
    name = "ImageNet-Sketch"
    dataset = torchvision.datasets.ImageFolder
    reader = ClassFolderReader(
        name="ImageNet-Sketch",
        version="50,889 images",
        size=50_889,
        folders=("sketch", "imagenet-sketch/sketch", "ImageNet-Sketch/sketch", "imagenet-sketch", "ImageNet-Sketch"),
    )
    size = 50_889
    data_root = "./.data/vision/sketch"
