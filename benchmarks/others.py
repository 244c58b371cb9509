"""The loaders that people use for evaluating on ImageNet, each as its own documentation sets it up, and decoding alone.

Each function gives batches `(B, 3, 224, 224)` of float32 for Resize(256), CenterCrop(224), ToTensor, Normalize.
timm and DALI are measured where they are installed.
"""

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import simplejpeg
import torch
from torch.utils.data import DataLoader, Dataset
from torchvision import io
from torchvision.datasets import ImageFolder
from torchvision.transforms import CenterCrop, Compose, InterpolationMode, Normalize, Resize, ToTensor, v2

from torchbench.dataset.labels import class_of_wnid
from torchbench.loading.decode import decode_part, plain_size

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
RESIZE, CROP = 256, 224
NOT_INSTALLED = "not installed"

Loader = Callable[["Task"], Iterator[torch.Tensor]]


@dataclass(frozen=True)
class Task:
    """What every loader is to do: the images in `root`/val/<wnid>/, in order."""

    root: Path
    interpolation: InterpolationMode
    workers: int
    batch_size: int

    @property
    def files(self) -> list[Path]:
        """The images in the order of the batches."""
        return sorted((self.root / "val").glob("*/*"))

    @property
    def transform(self) -> Compose:
        """The transform as the paper's own code writes it."""
        return Compose([Resize(RESIZE, self.interpolation), CenterCrop(CROP), ToTensor(), Normalize(MEAN, STD)])


def original_loader(task: Task, transform: Callable[[Any], Any] | None = None) -> DataLoader[Any]:
    """What the 2019 torchbench gives its loop: Pillow, the transform in worker processes, batches with targets.

    It reads by torchvision.datasets.ImageNet, which is an ImageFolder that looks for the archives first.
    """
    images = ImageFolder(str(task.root / "val"), transform=transform or task.transform)
    images.target_transform = [class_of_wnid()[wnid] for wnid in images.classes].__getitem__
    return DataLoader(images, batch_size=task.batch_size, shuffle=False, num_workers=task.workers, pin_memory=False)


def original(task: Task) -> Iterator[torch.Tensor]:
    """The batches of the original's loader."""
    for images, _ in original_loader(task):
        yield images


class _DecodedTensors(Dataset[torch.Tensor]):
    """Images decoded to uint8 tensors by torchvision's own decoder, then transformed."""

    def __init__(self, files: Sequence[Path], transform: v2.Transform) -> None:
        self._files = files
        self._transform = transform

    def __len__(self) -> int:
        return len(self._files)

    def __getitem__(self, index: int) -> torch.Tensor:
        image = io.decode_image(str(self._files[index]), io.ImageReadMode.RGB)
        return self._transform(image)  # type: ignore[no-any-return] # a transform of a tensor gives one


def tensors(task: Task) -> Iterator[torch.Tensor]:
    """Batches by torchvision's second generation of transforms, on tensors, in worker processes."""
    steps = [
        v2.Resize(RESIZE, task.interpolation, antialias=True),
        v2.CenterCrop(CROP),
        v2.ToDtype(torch.float32, scale=True),
        v2.Normalize(MEAN, STD),
    ]
    images = _DecodedTensors(task.files, v2.Compose(steps))
    return iter(DataLoader(images, batch_size=task.batch_size, num_workers=task.workers))


def timm_loader() -> Loader | None:
    """The loader of timm as its validate.py makes it, for the processor; None where timm is not installed."""
    if find_spec("timm") is None:
        return None
    from timm.data import ImageDataset, create_loader  # noqa: PLC0415 - only where it is installed

    def batches(task: Task) -> Iterator[torch.Tensor]:
        loader = create_loader(
            ImageDataset(str(task.root / "val")),
            input_size=(3, CROP, CROP),
            batch_size=task.batch_size,
            interpolation=task.interpolation.value,
            mean=MEAN,
            std=STD,
            num_workers=task.workers,
            crop_pct=CROP / RESIZE,
            device=torch.device("cpu"),
            persistent_workers=False,
        )
        for images, _ in loader:
            yield images

    return batches


def dali_loader() -> Loader | None:
    """NVIDIA DALI's pipeline on the processor, a thread for each worker; None where DALI is not installed."""
    if find_spec("nvidia") is None or find_spec("nvidia.dali") is None:
        return None
    from nvidia.dali import fn, types  # noqa: PLC0415 - only where it is installed
    from nvidia.dali.pipeline import Pipeline  # noqa: PLC0415 - only where it is installed

    filters = {InterpolationMode.BILINEAR: types.INTERP_TRIANGULAR, InterpolationMode.BICUBIC: types.INTERP_CUBIC}

    def batches(task: Task) -> Iterator[torch.Tensor]:
        pipeline = Pipeline(batch_size=task.batch_size, num_threads=task.workers, device_id=None)
        files = [str(file) for file in task.files]
        with pipeline:
            encoded, _ = fn.readers.file(files=files, random_shuffle=False)
            images = fn.decoders.image(encoded, device="cpu", output_type=types.RGB, adjust_orientation=False)
            resized = fn.resize(images, resize_shorter=RESIZE, interp_type=filters[task.interpolation])
            values = fn.crop_mirror_normalize(
                resized,
                crop=(CROP, CROP),
                mean=[255 * mean for mean in MEAN],
                std=[255 * std for std in STD],
                output_layout="CHW",
            )
            pipeline.set_outputs(values)
        pipeline.build()
        for first in range(0, len(files), task.batch_size):
            (batch,) = pipeline.run()
            yield torch.from_numpy(np.array(batch.as_tensor()))[: len(files) - first]

    return batches


def decoded_by_libjpeg_turbo(file: Path) -> None:
    """Read and decode one whole image by simplejpeg, which carries libjpeg-turbo."""
    simplejpeg.decode_jpeg(file.read_bytes(), "RGB")


def decoded_by_torchbench(file: Path) -> None:
    """Read and decode one whole image by torchbench's decoder, where it takes the file."""
    data = file.read_bytes()
    size = plain_size(data)
    if size is None or decode_part(data, size, (0, 0, *size)) is None:
        simplejpeg.decode_jpeg(data, "RGB")


def decode_all(task: Task, decode: Callable[[Path], None]) -> None:
    """Nothing but reading and decoding every image, by as many threads as there are workers."""
    with ThreadPoolExecutor(max(1, task.workers)) as pool:
        deque(pool.map(decode, task.files), maxlen=0)
