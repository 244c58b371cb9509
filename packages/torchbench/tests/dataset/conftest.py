import hashlib
import io
import os
import tarfile
from pathlib import Path

import pytest
from PIL import Image

from torchbench.dataset import ImageNetReader
from torchbench.dataset.archives import Archive
from torchbench.dataset.labels import validation_labels, wnids

OLD = 1_500_000_000  # seconds: long before the clock's resolution matters to the memory


def tiny_jpeg(seed: int) -> bytes:
    file = io.BytesIO()
    colour = (seed * 37 % 256, seed * 101 % 256, seed * 151 % 256)
    Image.new("RGB", (24 + seed % 5, 20), colour).save(file, "JPEG")
    return file.getvalue()


@pytest.fixture
def jpeg():
    return tiny_jpeg


@pytest.fixture
def put():
    """Writes files under a folder: put(folder, "val/a.JPEG", ...), each image another one, and old."""

    def write(root: Path, *names: str, content: bytes | None = None) -> Path:
        for seed, name in enumerate(names):
            path = root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(tiny_jpeg(seed) if content is None else content)
            os.utime(path, (OLD, OLD))
        return root

    return write


@pytest.fixture
def find():
    """The test set at a folder, nothing remembered."""

    def find_there(root: Path, reader: ImageNetReader | None = None, remember: Path | None = None):
        return (reader or ImageNetReader()).find(Path(root), remember=remember)

    return find_there


@pytest.fixture
def without_table(tmp_path):
    """A reader in an installation from which the validation labels were left out."""
    return ImageNetReader(label_table=tmp_path / "left-out.npy")


@pytest.fixture
def validation_name():
    return lambda number: f"ILSVRC2012_val_{number:08d}.JPEG"


@pytest.fixture
def filed(validation_name):
    """Where class folders have a validation image: n01751748/ILSVRC2012_val_00000001.JPEG."""
    return lambda number: f"{wnids()[validation_labels()[number - 1]]}/{validation_name(number)}"


@pytest.fixture
def archived():
    """Writes a tar of (name, content) and gives the reader that expects exactly this archive."""

    def write(root: Path, members: list[tuple[str, bytes]], **archive):
        root.mkdir(parents=True, exist_ok=True)
        path = root / "ILSVRC2012_img_val.tar"
        with tarfile.open(path, "w") as tar:
            for name, content in members:
                info = tarfile.TarInfo(name)
                info.size = len(content)
                tar.addfile(info, io.BytesIO(content))
        md5 = hashlib.md5(path.read_bytes(), usedforsecurity=False).hexdigest()
        return ImageNetReader(val_archive=Archive(path.name, md5, **archive))

    return write
