import threading
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from torchbench.images import ImageFiles
from torchbench.loading import LoadingOptions, open_batches

KINDS = (
    # size, mode, suffix, options of save
    ((300, 220), "RGB", "JPEG", {"quality": 90}),
    ((220, 300), "RGB", "JPEG", {"quality": 60, "progressive": True}),
    ((64, 64), "RGB", "JPEG", {"subsampling": 0}),
    ((37, 53), "L", "JPEG", {}),
    ((61, 47), "CMYK", "JPEG", {}),
    ((7, 5), "RGB", "JPEG", {}),
    ((400, 31), "RGB", "JPEG", {}),
    ((23, 260), "RGB", "JPEG", {}),
    ((90, 80), "RGBA", "PNG", {}),
    ((50, 70), "P", "PNG", {}),
    ((33, 34), "1", "PNG", {}),
    ((45, 45), "LA", "PNG", {}),
)


def save(path: Path, kind: int) -> Path:
    """One image of every kind that people keep under the name .JPEG, smooth enough for resizing to matter."""
    (width, height), mode, encoding, options = KINDS[kind % len(KINDS)]
    noise = np.random.default_rng(kind).integers(0, 256, (height // 3 + 1, width // 3 + 1, 3), np.uint8)
    image = Image.fromarray(noise).resize((width, height), Image.Resampling.BICUBIC).convert(mode)
    image.save(path, encoding, **options)
    return path


@pytest.fixture(scope="session")
def pictures(tmp_path_factory) -> ImageFiles:
    """36 image files, three of every kind."""
    folder = tmp_path_factory.mktemp("pictures")
    return ImageFiles([save(folder / f"{number:02}.JPEG", number) for number in range(3 * len(KINDS))])


@pytest.fixture
def load():
    """Every image as one tensor `(N, ...)`."""

    def load(images, transform, batch_size=8, num_workers=0, **options):
        with open_batches(images, transform, LoadingOptions(batch_size, num_workers, **options)) as batches:
            return torch.cat([batch.clone() for batch in batches])

    return load


@pytest.fixture(autouse=True)
def no_thread_is_left():
    before = set(threading.enumerate())
    yield
    assert {thread for thread in threading.enumerate() if thread.name.startswith("torchbench")} <= before
