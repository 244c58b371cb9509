"""What every test set for models of ImageNet's 1,000 classes shares."""

from torchvision.transforms import CenterCrop, Compose, InterpolationMode, Normalize, Resize, ToTensor

from torchbench.benchmark import ImageClassification


class ThousandClasses(ImageClassification):
    """Models of ImageNet's 1,000 classes (Russakovsky et al., 2015, arXiv:1409.0575), on whatever images."""

    classes = 1000
    normalize = Normalize(mean=[0.485, 0.456, 0.406], std=[0.229, 0.224, 0.225])
    input_transform = Compose(
        [Resize(256, interpolation=InterpolationMode.BILINEAR), CenterCrop((224, 224)), ToTensor(), normalize]
    )
