"""Sets that torchvision reads: CIFAR-10 in its own format on disk, with a class that knows the tiny files' MD5s."""

import hashlib
import pickle

import numpy as np
import pytest
import torchvision
from PIL import Image

from torchbench.dataset import TorchvisionReader
from torchbench.dataset.fingerprint import fingerprint_of
from torchbench.errors import BrokenImage, DataError, DataNotFound

FOLDER = "cifar-10-batches-py"


@pytest.fixture
def pixels():
    return np.random.default_rng(0).integers(0, 256, (4, 3, 32, 32), dtype=np.uint8)


@pytest.fixture
def tiny_cifar(tmp_path, pixels):
    """torchvision's own reader over five training batches, a test batch and the names, four images each."""
    batch = {"data": pixels.reshape(4, -1), "labels": [3, 0, 9, 3], "filenames": ["a.png"] * 4}
    contents = {f"data_batch_{number}": batch for number in range(1, 6)} | {"test_batch": batch}
    contents["batches.meta"] = {"label_names": [f"class {number}" for number in range(10)]}
    md5s = {}
    (tmp_path / FOLDER).mkdir()
    for name, content in contents.items():
        written = pickle.dumps(content, protocol=2)
        (tmp_path / FOLDER / name).write_bytes(written)
        md5s[name] = hashlib.md5(written, usedforsecurity=False).hexdigest()

    class TinyCIFAR10(torchvision.datasets.CIFAR10):
        train_list = [[f"data_batch_{number}", md5s[f"data_batch_{number}"]] for number in range(1, 6)]  # noqa: RUF012
        test_list = [["test_batch", md5s["test_batch"]]]  # noqa: RUF012 - torchvision's form
        meta = {"filename": "batches.meta", "key": "label_names", "md5": md5s["batches.meta"]}  # noqa: RUF012

    return TinyCIFAR10


def test_the_test_split_is_read_as_torchvision_reads_it(tiny_cifar, pixels, tmp_path):
    found = TorchvisionReader(tiny_cifar, name="CIFAR-10", size=4, classes=10).find(tmp_path, remember=None)
    assert found.labels.tolist() == [3, 0, 9, 3]
    assert found.labels.dtype == np.int64
    assert (found.name, found.version, found.complete, found.size, found.assumptions) == (
        "CIFAR-10",
        "test split",
        True,
        4,
        (),
    )
    for index, image in enumerate(found.images):
        assert image.mode == "RGB"
        assert np.array_equal(np.asarray(image), pixels[index].transpose(1, 2, 0))
    assert found.ids == ("0", "1", "2", "3")


def test_ids_have_the_width_of_the_whole_set(tiny_cifar, tmp_path):
    found = TorchvisionReader(tiny_cifar, name="CIFAR-10", size=10_000).find(tmp_path, remember=None)
    assert found.ids[0] == "0000"
    assert found.complete is False
    assert found.assumptions == ("a subset: 4 of 10,000 images",)


def test_a_slice_of_the_images_is_a_sequence_of_them(tiny_cifar, tmp_path):
    images = TorchvisionReader(tiny_cifar, name="CIFAR-10", size=4).find(tmp_path, remember=None).images
    assert [image.tobytes() for image in images[1:][1:]] == [images[2].tobytes(), images[3].tobytes()]
    assert images[-1].tobytes() == images[3].tobytes()


def test_the_fingerprint_is_of_the_pixels(tiny_cifar, pixels, tmp_path):
    found = TorchvisionReader(tiny_cifar, name="CIFAR-10", size=4).find(tmp_path, remember=None)
    contents = [b"32x32:" + image.transpose(1, 2, 0).tobytes() for image in pixels]
    assert found.fingerprint == fingerprint_of([hashlib.sha256(content).digest() for content in contents])


def test_a_missing_set_says_which_files_are_expected_where(tmp_path):
    reader = TorchvisionReader(torchvision.datasets.CIFAR10, name="CIFAR-10", size=10_000)
    with pytest.raises(DataNotFound) as error:
        reader.find(tmp_path / "nowhere", remember=None)
    message = str(error.value)
    assert f"no CIFAR-10 at data_root {tmp_path / 'nowhere'} (it does not exist)" in message
    assert f"{FOLDER}/test_batch" in message
    assert f"{FOLDER}/batches.meta" in message
    assert "download=True" in message


def test_an_archive_that_is_not_extracted_is_noticed(tmp_path):
    (tmp_path / "cifar-10-python.tar.gz").write_bytes(b"")
    reader = TorchvisionReader(torchvision.datasets.CIFAR10, name="CIFAR-10", size=10_000)
    with pytest.raises(DataNotFound, match=r"extract cifar-10-python\.tar\.gz there: tar -xzf"):
        reader.find(tmp_path, remember=None)


def test_a_damaged_file_is_torchvisions_word(tiny_cifar, tmp_path):
    (tmp_path / FOLDER / "test_batch").write_bytes(b"torn")
    with pytest.raises(DataNotFound, match="torchvision says: Dataset not found or corrupted"):
        TorchvisionReader(tiny_cifar, name="CIFAR-10", size=4).find(tmp_path, remember=None)


def test_labels_beyond_the_classes_are_refused(tiny_cifar, tmp_path):
    with pytest.raises(DataError, match="image 2 of CIFAR-10 has label 9; expected 5 classes"):
        TorchvisionReader(tiny_cifar, name="CIFAR-10", size=4, classes=5).find(tmp_path, remember=None)


class Files:
    """A set in torchvision's manner with `split`, grey images and one broken file."""

    def __init__(self, root, split="train", download=True):
        self.split, self.download, self.broken = split, download, False

    def __len__(self):
        return 2

    def __getitem__(self, index):
        if self.broken or not 0 <= index < 2:
            raise OSError("image file is truncated")
        return Image.new("L", (3 + index, 2), 7), index


def test_sets_with_a_split_are_asked_for_test_and_never_to_download(tmp_path):
    found = TorchvisionReader(Files, name="Files", size=2).find(tmp_path, remember=None)
    assert (found.images.dataset.split, found.images.dataset.download) == ("test", False)
    assert [image.mode for image in found.images] == ["RGB", "RGB"]
    assert found.images[1].size == (4, 2)


def test_an_image_that_cannot_be_decoded_is_named(tmp_path):
    found = TorchvisionReader(Files, name="Files", size=2).find(tmp_path, remember=None)
    found.images.dataset.broken = True
    with pytest.raises(BrokenImage, match="image 1 of"):
        found.images[1]
