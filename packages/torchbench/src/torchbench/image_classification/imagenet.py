"""ImageNet: the validation set of ILSVRC 2012."""

import torchvision

from torchbench.dataset import ImageNetReader
from torchbench.image_classification.imagenet_a import ImageNetA, ImageNetAControl
from torchbench.image_classification.imagenet_r import ImageNetR, ImageNetRControl
from torchbench.image_classification.imagenet_real import ImageNetReaL
from torchbench.image_classification.imagenet_sketch import ImageNetSketch
from torchbench.image_classification.imagenet_v2 import ImageNetV2, ImageNetV2Threshold, ImageNetV2TopImages
from torchbench.image_classification.thousand_classes import ThousandClasses


class ImageNet(ThousandClasses):
    """ILSVRC 2012 validation: 50,000 photographs, 1,000 classes (Russakovsky et al., 2015, arXiv:1409.0575)."""

    name = "ImageNet"
    dataset = torchvision.datasets.ImageNet
    reader = ImageNetReader()
    size = 50_000
    data_root = "./.data/vision/imagenet"
    companions = (
        *(ImageNetReaL, ImageNetV2, ImageNetV2Threshold, ImageNetV2TopImages),
        *(ImageNetA, ImageNetAControl, ImageNetR, ImageNetRControl, ImageNetSketch),
    )
