"""ImageNet-V2: ImageNet's validation set collected once more, in three ways."""

import torchvision

from torchbench.dataset import ClassFolderReader
from torchbench.image_classification.thousand_classes import ThousandClasses


def _reader(variant: str, letter: str) -> ClassFolderReader:
    """For the folders `0`...`999` of one variant; the authors name it once in words and once by a letter."""
    words = f"imagenetv2-{variant}"
    return ClassFolderReader(
        name="ImageNet-V2", version=variant, size=10_000, folders=(f"{words}-format-val", words, letter)
    )


class ImageNetV2(ThousandClasses):
    """ImageNet-V2, matched frequency: 10,000 new photographs, ten a class (Recht et al., 2019, arXiv:1902.10811).

    Collected as ImageNet was, a decade of models later. In this variant, which is the one mostly reported, workers
    chose the images as often for their class as they chose those of ImageNet. Top 1 and Top 5 over all 1,000 classes.
    The folders are class indices; sorted as text (0, 1, 10, 100, ...) they would be taken for other classes.
    """

    key = "v2"
    name = "ImageNet-V2"
    dataset = torchvision.datasets.ImageFolder
    reader = _reader("matched-frequency", "imagenetv2-b-33")
    size = 10_000
    data_root = "./.data/vision/imagenetv2-matched-frequency-format-val"


class ImageNetV2Threshold(ImageNetV2):
    """ImageNet-V2, threshold 0.7: each image was chosen for its class by at least 70 % (Recht et al., 2019)."""

    key = "v2-threshold"
    name = "ImageNet-V2 Threshold-0.7"
    reader = _reader("threshold0.7", "imagenetv2-a-44")
    data_root = "./.data/vision/imagenetv2-threshold0.7-format-val"


class ImageNetV2TopImages(ImageNetV2):
    """ImageNet-V2, top images: the ten images that were most often chosen for each class (Recht et al., 2019)."""

    key = "v2-top"
    name = "ImageNet-V2 Top-Images"
    reader = _reader("top-images", "imagenetv2-c-12")
    data_root = "./.data/vision/imagenetv2-top-images-format-val"
