"""Data sets of noise, in ImageNet's layout, for tests of what a site does with one."""

import io
import subprocess

import numpy as np
from PIL import Image

from sotabench.server.benchmarks.base import base_python


def tiny_jpeg(seed):
    file = io.BytesIO()
    pixels = np.random.default_rng(seed).integers(0, 256, (24, 24, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(file, "JPEG")
    return file.getvalue()


def say_nothing(line):
    pass


def write_set(root, count, classes):
    """`count` images, each class in turn; the table of real classes comes from torchbench."""
    words = subprocess.run(
        [base_python(), "-c", "from torchbench.dataset.labels import wnids; print(*wnids())"],
        capture_output=True, text=True, check=True,
    ).stdout.split()  # fmt: skip
    for at in range(count):
        folder = root / "val" / words[(at * 7) % classes]
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"picture-{at:05d}.JPEG").write_bytes(tiny_jpeg(at))
    return root
