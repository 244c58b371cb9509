"""ImageNet-R: paintings, toys, tattoos and other renditions, of 200 classes."""

import torchvision

from torchbench.dataset import ClassFolderReader, ImageNetReader, subclasses
from torchbench.image_classification.thousand_classes import ThousandClasses
from torchbench.metrics import TopK


class ImageNetR(ThousandClasses):
    """ImageNet-R: 30,000 renditions of 200 classes: paintings, cartoons, origami, sculptures, toys and others.

    The authors' rules (Hendrycks et al., 2021, arXiv:2006.16241): the outputs of the other 800 classes are dropped
    before the best one is looked for, Top 1 is reported, and beside it that on ImageNet's images of these classes.
    """

    key = "r"
    name = "ImageNet-R"
    dataset = torchvision.datasets.ImageFolder
    kept = subclasses("ImageNet-R")
    reader = ClassFolderReader(
        name="ImageNet-R", version="30,000 images", size=30_000, folders=("imagenet-r", "ImageNet-R"), classes=kept
    )
    size = 30_000
    data_root = "./.data/vision/imagenet-r"
    metrics = (TopK(1),)


class ImageNetRControl(ThousandClasses):
    """ImageNet's own validation images of the 200 classes of ImageNet-R, 10,000, with the outputs masked as there.

    The authors call it ImageNet-200, and the difference to ImageNet-R the gap.
    """

    key = "r"
    name = "ImageNet (200 classes of ImageNet-R)"
    dataset = torchvision.datasets.ImageNet
    kept = subclasses("ImageNet-R")
    reader = ImageNetReader()
    size = 10_000
    data_root = "./.data/vision/imagenet"
    metrics = (TopK(1),)
    diagnosed = False
