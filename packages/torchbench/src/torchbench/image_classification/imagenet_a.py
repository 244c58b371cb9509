"""ImageNet-A: photographs that a ResNet-50 gets wrong, of 200 classes."""

import torchvision

from torchbench.dataset import ClassFolderReader, ImageNetReader, subclasses
from torchbench.image_classification.thousand_classes import ThousandClasses
from torchbench.metrics import TopK


class ImageNetA(ThousandClasses):
    """ImageNet-A: 7,500 photographs of 200 classes, chosen because a ResNet-50 fails on them.

    The authors' rules (Hendrycks et al., 2021, arXiv:1907.07174): the outputs of the other 800 classes are dropped
    before the best one is looked for, and Top 1 is reported. A ResNet-50 of theirs is right on none of these images.
    """

    key = "a"
    name = "ImageNet-A"
    dataset = torchvision.datasets.ImageFolder
    kept = subclasses("ImageNet-A")
    reader = ClassFolderReader(
        name="ImageNet-A", version="7,500 images", size=7_500, folders=("imagenet-a", "ImageNet-A"), classes=kept
    )
    size = 7_500
    data_root = "./.data/vision/imagenet-a"
    metrics = (TopK(1),)
    diagnosed = False  # hardly a right answer is what these images were chosen for


class ImageNetAControl(ThousandClasses):
    """ImageNet's own validation images of the 200 classes of ImageNet-A, 10,000, with the outputs masked as there.

    What is lost from here to ImageNet-A is lost to the images, not to the number of classes.
    """

    key = "a"
    name = "ImageNet (200 classes of ImageNet-A)"
    dataset = torchvision.datasets.ImageNet
    kept = subclasses("ImageNet-A")
    reader = ImageNetReader()
    size = 10_000
    data_root = "./.data/vision/imagenet"
    metrics = (TopK(1),)
    diagnosed = False
