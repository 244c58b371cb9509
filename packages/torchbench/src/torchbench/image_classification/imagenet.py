"""ImageNet: the validation set of ILSVRC 2012."""

import torchvision
from torchvision.transforms import CenterCrop, Compose, InterpolationMode, Normalize, Resize, ToTensor

from torchbench.benchmark import ImageClassification
from torchbench.dataset import ImageNetReader


class ImageNet(ImageClassification):
    """ILSVRC 2012 validation: 50,000 photographs, 1,000 classes (Russakovsky et al., 2015, arXiv:1409.0575)."""

    name = "ImageNet"
    dataset = torchvision.datasets.ImageNet
    reader = ImageNetReader()
    classes = 1000
    size = 50_000
    data_root = "./.data/vision/imagenet"
    normalize = Normalize(mean=[0.485, 0.456, 0.406], std=[0.229, 0.224, 0.225])
    input_transform = Compose(
        [Resize(256, interpolation=InterpolationMode.BILINEAR), CenterCrop((224, 224)), ToTensor(), normalize]
    )
