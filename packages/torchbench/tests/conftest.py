import io
import os
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from benchrecord import FORMAT, OutputsWriter, PredictionsBuilder, append_record, write_predictions
from torchbench.dataset.labels import validation_labels

WNIDS = ("n01440764", "n01443537", "n01484850", "n01491361", "n01494475")  # classes 0 to 4


@pytest.fixture(scope="session")
def photographs() -> Path:
    """20 real validation photographs as val/<wnid>/<number>.jpg; `make test` puts them there."""
    folder = os.environ.get("TORCHBENCH_TEST_PHOTOGRAPHS")
    if not folder:
        pytest.fail("TORCHBENCH_TEST_PHOTOGRAPHS is not set: run the tests by `make test`, or set it to the folder")
    return Path(folder)


@pytest.fixture(scope="session")
def imagenet_sample() -> Path:
    """A folder of real ImageNet photographs named <wnid>_<name>.JPEG, where this machine has one."""
    folder = os.environ.get("TORCHBENCH_TEST_IMAGENET_SAMPLE")
    if not folder:
        pytest.skip("TORCHBENCH_TEST_IMAGENET_SAMPLE names no folder of ImageNet photographs")
    return Path(folder)


def jpeg(seed: int = 0, size: tuple[int, int] = (48, 40)) -> bytes:
    pixels = np.random.default_rng(seed).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "JPEG")
    return file.getvalue()


@pytest.fixture
def few_images(tmp_path) -> Path:
    """Three images in each of the first five classes, as val/<wnid>/<number>.JPEG."""
    root = tmp_path / "imagenet"
    for label, wnid in enumerate(WNIDS):
        folder = root / "val" / wnid
        folder.mkdir(parents=True)
        for copy in range(3):
            number = 3 * label + copy + 1
            (folder / f"photograph_{number:08d}.JPEG").write_bytes(jpeg(number))
    return root


@pytest.fixture
def environment(monkeypatch, tmp_path):
    """Sets variables for one test; the machine's own settings are out of sight."""
    for name in list(os.environ):
        if name.startswith("SOTABENCH_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return lambda **values: [monkeypatch.setenv(name, str(value)) for name, value in values.items()]


class LinearModel(torch.nn.Module):
    """Random but fixed: the mean colours of an 8 x 8 grid times a matrix."""

    def __init__(self, classes: int = 1000, seed: int = 0) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(seed)
        self.pool = torch.nn.AdaptiveAvgPool2d(8)
        self.dropout = torch.nn.Dropout(0.5)
        self.matrix = torch.nn.Parameter(torch.randn(192, classes, generator=generator))
        self.seen: list[int] = []

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        self.seen.append(len(images))
        return self.dropout(self.pool(images)).flatten(1).double().mm(self.matrix.double()).float()


@pytest.fixture
def linear_model():
    return LinearModel


@pytest.fixture
def store_model(tmp_path):
    """Appends a record of a model that gave these outputs to `results.json`, with its predictions beside it."""

    def store_it(ids, outputs, model="Model", *, dataset_name="ImageNet", keep=False, file="results.json", **keys):
        builder = PredictionsBuilder(outputs.shape[1])
        builder.add(ids, outputs)
        number = len(list(tmp_path.glob("*.npz")))
        written = write_predictions(tmp_path / f"{number}.npz", builder.finish())
        record = {"format": FORMAT, "task": "Image Classification", "dataset_name": dataset_name, "model": model}
        record |= {"results": {}, "samples": len(ids), "predictions": asdict(written)}
        if keep:
            with OutputsWriter(tmp_path / f"{number}.npy", outputs.shape[1]) as writer:
                writer.add(outputs)
                record["outputs"] = asdict(writer.finish())
        append_record(tmp_path / file, record | keys)
        return tmp_path / file

    return store_it


@pytest.fixture
def official():
    """Ids of the first validation images, their classes, and outputs of which some are right."""

    def some(count, seed=0, right=0.5):
        random = np.random.default_rng(seed)
        labels = validation_labels()[:count]
        outputs = random.normal(0, 1, (count, 1000)).astype(np.float32)
        outputs[np.arange(count), labels] += np.where(random.random(count) < right, 8, 0)
        return [f"ILSVRC2012_val_{number:08d}" for number in range(1, count + 1)], labels, outputs

    return some
