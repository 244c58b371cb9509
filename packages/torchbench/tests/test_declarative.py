"""A benchmark is a dozen declarative lines; torchvision's CIFAR-10 on its real file format shows it."""

import pickle

import numpy as np
import pytest
import torch
import torchvision
from torchvision.transforms import Compose, Normalize, ToTensor

from torchbench.benchmark import ImageClassification


@pytest.fixture
def cifar10(tmp_path):
    """Forty random images in CIFAR-10's own layout, and a dataset class that knows their checksums."""
    folder = tmp_path / "cifar-10-batches-py"
    folder.mkdir()
    random = np.random.default_rng(0)
    pixels, labels = random.integers(0, 256, (40, 3072), dtype=np.uint8), random.integers(0, 10, 40).tolist()
    (folder / "test_batch").write_bytes(pickle.dumps({"data": pixels, "labels": labels}))
    (folder / "batches.meta").write_bytes(pickle.dumps({"label_names": [str(label) for label in range(10)]}))

    class Few(torchvision.datasets.CIFAR10):
        train_list = ()
        test_list = (("test_batch", None),)
        meta = {"filename": "batches.meta", "key": "label_names", "md5": None}  # noqa: RUF012 - as torchvision has it

    return tmp_path, Few, pixels.reshape(40, 3, 32, 32), np.array(labels)


def test_a_dozen_lines_declare_cifar10(cifar10, environment):
    root, few, pixels, labels = cifar10

    class CIFAR10(ImageClassification):
        """CIFAR-10 test split: 10,000 colour images of 32x32, ten classes (Krizhevsky, 2009)."""

        name = "CIFAR-10"
        dataset = few
        classes = 10
        size = 10_000
        data_root = "./.data/vision/cifar10"
        normalize = Normalize((0.5, 0.5, 0.5), (0.5, 0.5, 0.5))
        input_transform = Compose([ToTensor(), normalize])

    def model(images):
        return images.flatten(2).mean(2) @ torch.linspace(-1, 1, 30).reshape(3, 10)

    result = CIFAR10.benchmark(model, data_root=root, batch_size=7, num_workers=0)
    outputs = model(torch.from_numpy(pixels).float().div(255).sub(0.5).div(0.5))
    right = int((outputs.argmax(dim=1).numpy() == labels).sum())
    assert result.record["correct"]["Top 1 Accuracy"] == right
    assert (result.record["dataset"]["complete"], result.record["samples"]) == (False, 40)
    assert result.dataset == "CIFAR-10"
