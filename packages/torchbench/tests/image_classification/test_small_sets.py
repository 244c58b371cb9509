"""CIFAR, MNIST, SVHN and STL-10, each in its own format on disk; real images of the first three, twenty of each."""

import gzip
import pickle
import struct

import numpy as np
import pytest
import torch
import torchvision
from PIL import Image
from scipy.io import savemat
from torchvision.transforms import CenterCrop, Compose, Normalize, Resize, ToTensor

from torchbench.benchmark import ImageClassification
from torchbench.errors import BrokenImage, DataError, DataNotFound
from torchbench.image_classification import CIFAR10, CIFAR100, MNIST, STL10, SVHN

pytestmark = pytest.mark.usefixtures("environment")


def real_images(photographs, dataset):
    """Pixels `(N, H, W[, 3])` and labels of the images that are named <set>_<number>_<class>.png."""
    paths = sorted((photographs / dataset).glob("*.png"))
    return np.stack([np.asarray(Image.open(path)) for path in paths]), [int(path.stem.split("_")[2]) for path in paths]


def random_images(count, side):
    random = np.random.default_rng(side)
    return random.integers(0, 256, (count, side, side, 3), np.uint8), random.integers(0, 10, count).tolist()


def counted_by_hand(benchmark, root, images, labels, normalised):
    """Evaluate a model that knows every second image, and count the same from the arrays."""
    inputs = torch.from_numpy(normalised(images / 255)).reshape(len(images), -1)
    targets = torch.tensor(labels)
    known, answers = inputs[::2], targets[::2]
    means = torch.stack([known[answers == label].sum(0) for label in range(benchmark.classes)], dim=1)
    right = int(((inputs @ means).argmax(1) == targets).sum())
    assert 0 < right < len(labels)
    result = benchmark.benchmark(
        lambda batch: batch.movedim(1, -1).flatten(1).double() @ means, data_root=root, batch_size=7, num_workers=0
    )
    assert result.record["correct"]["Top 1 Accuracy"] == right
    assert (result.record["samples"], result.record["dataset"]["complete"]) == (len(labels), False)
    return result


def write_cifar(folder, images, labels, key):
    folder.mkdir()
    pixels = images.transpose(0, 3, 1, 2).reshape(len(images), -1)
    name = "test_batch" if key == "labels" else "test"
    (folder / name).write_bytes(pickle.dumps({"data": pixels, key: labels}, protocol=2))


def test_cifar10_in_its_pickles(photographs, tmp_path):
    images, labels = real_images(photographs, "cifar10")
    write_cifar(tmp_path / "cifar-10-batches-py", images, labels, "labels")
    (tmp_path / "cifar-10-batches-py/batches.meta").write_bytes(pickle.dumps({"label_names": list("abcdefghij")}))

    class Few(torchvision.datasets.CIFAR10):
        train_list = ()
        test_list = (("test_batch", None),)
        meta = {"filename": "batches.meta", "key": "label_names", "md5": None}  # noqa: RUF012 - torchvision's form

    class FewCIFAR10(CIFAR10):
        dataset = Few

    result = counted_by_hand(FewCIFAR10, tmp_path, images, labels, lambda unit: (unit - 0.5) / 0.5)
    assert (result.dataset, result.record["dataset"]["size"]) == ("CIFAR-10", 10_000)


def test_cifar100_by_its_fine_labels(photographs, tmp_path):
    images, labels = real_images(photographs, "cifar100")
    write_cifar(tmp_path / "cifar-100-python", images, labels, "fine_labels")
    (tmp_path / "cifar-100-python/meta").write_bytes(pickle.dumps({"fine_label_names": list(map(str, range(100)))}))

    class Few(torchvision.datasets.CIFAR100):
        train_list = ()
        test_list = (("test", None),)
        meta = {"filename": "meta", "key": "fine_label_names", "md5": None}  # noqa: RUF012 - torchvision's form

    class FewCIFAR100(CIFAR100):
        dataset = Few

    result = counted_by_hand(FewCIFAR100, tmp_path, images, labels, lambda unit: (unit - 0.5) / 0.5)
    assert (result.dataset, result.record["dataset"]["size"]) == ("CIFAR-100", 10_000)


def write_mnist(root, images, labels, names=("train", "t10k"), pack=lambda content: content, ending=""):
    raw = root / "MNIST" / "raw"
    raw.mkdir(parents=True)
    for name in names:
        header = struct.pack(">IIII", 0x803, *images.shape)
        (raw / f"{name}-images-idx3-ubyte{ending}").write_bytes(pack(header + images.tobytes()))
        header = struct.pack(">II", 0x801, len(labels))
        (raw / f"{name}-labels-idx1-ubyte{ending}").write_bytes(pack(header + bytes(labels)))


def test_mnist_in_its_idx_files_and_one_channel(photographs, tmp_path):
    images, labels = real_images(photographs, "mnist")
    write_mnist(tmp_path, images, labels)
    result = counted_by_hand(MNIST, tmp_path, images, labels, lambda unit: (unit - 0.1307) / 0.3081)
    assert (result.dataset, result.record["dataset"]["size"]) == ("MNIST", 10_000)


def test_grey_images_are_never_loaded_by_the_path_for_colour(photographs, tmp_path):
    write_mnist(tmp_path, *real_images(photographs, "mnist"))
    shapes = []

    def model(images):
        shapes.append(tuple(images.shape))
        return torch.zeros(len(images), 10)

    transform = Compose([Resize(32), CenterCrop(32), ToTensor(), Normalize((0.1307,), (0.3081,))])
    result = MNIST.benchmark(model, input_transform=transform, data_root=tmp_path, num_workers=0)
    assert shapes == [(20, 1, 32, 32)]
    assert result.record["transform"]["plan"]["name"] == "as written"
    assert "mode L" in result.record["transform"]["plan"]["reason"]


def test_mnist_as_it_is_downloaded_is_told_to_be_unpacked(tmp_path):
    write_mnist(tmp_path, np.zeros((2, 28, 28), np.uint8), [0, 1], pack=gzip.compress, ending=".gz")
    with pytest.raises(DataNotFound, match=r"MNIST/raw/t10k-images-idx3-ubyte.*\n.*gunzip --keep .*/MNIST/raw/\*\.gz"):
        MNIST.benchmark(lambda images: images, data_root=tmp_path)


def test_torn_mnist_files_are_noticed(tmp_path):
    write_mnist(tmp_path, np.zeros((3, 28, 28), np.uint8), [0, 1, 2])
    pixels = tmp_path / "MNIST/raw/t10k-images-idx3-ubyte"
    whole = pixels.read_bytes()
    for content in (b"", whole[:10], whole[:-1], b"<html>an error page</html>"):
        pixels.write_bytes(content)
        with pytest.raises(DataNotFound, match="its files are not whole"):
            MNIST.benchmark(lambda images: images, data_root=tmp_path)
    pixels.write_bytes(whole)
    labels = tmp_path / "MNIST/raw/t10k-labels-idx1-ubyte"
    labels.write_bytes(struct.pack(">II", 0x801, 2) + bytes(2))
    with pytest.raises(BrokenImage, match="image 2 of"):
        MNIST.benchmark(lambda images: images, data_root=tmp_path)


def test_svhn_in_its_matlab_file_where_zero_is_ten(tmp_path):
    images, labels = random_images(30, 32)
    tens = [10 if label == 0 else label for label in labels]
    assert 10 in tens
    savemat(tmp_path / "test_32x32.mat", {"X": images.transpose(1, 2, 3, 0), "y": np.array(tens, np.uint8)[:, None]})

    class Few(torchvision.datasets.SVHN):
        split_list = {"test": ["", "test_32x32.mat", None]}  # noqa: RUF012 - torchvision's form

    class FewSVHN(SVHN):
        dataset = Few

    mean, std = np.array([109.9, 109.7, 113.8]) / 255, np.array([50.1, 50.6, 50.8]) / 255
    result = counted_by_hand(FewSVHN, tmp_path, images, labels, lambda unit: (unit - mean) / std)
    assert (result.dataset, result.record["dataset"]["size"]) == ("SVHN", 26_032)


def test_stl10_in_its_column_major_binaries_counted_from_one(tmp_path):
    images, labels = random_images(12, 96)
    folder = tmp_path / "stl10_binary"
    folder.mkdir()
    (folder / "test_X.bin").write_bytes(images.transpose(0, 3, 2, 1).tobytes())
    (folder / "test_y.bin").write_bytes(bytes(label + 1 for label in labels))

    class Few(torchvision.datasets.STL10):
        train_list = ()
        test_list = (("test_X.bin", None), ("test_y.bin", None))

    class FewSTL10(STL10):
        dataset = Few

    result = counted_by_hand(FewSTL10, tmp_path, images, labels, lambda unit: (unit - 0.5) / 0.5)
    assert (result.dataset, result.record["dataset"]["size"]) == ("STL-10", 8_000)


@pytest.mark.parametrize(
    ("benchmark", "file", "fetch"),
    [
        (CIFAR10, "cifar-10-batches-py/test_batch", "CIFAR10('{root}', train=False, download=True)"),
        (CIFAR100, "cifar-100-python/test", "CIFAR100('{root}', train=False, download=True)"),
        (MNIST, "MNIST/raw/t10k-images-idx3-ubyte", "MNIST('{root}', train=False, download=True)"),
        (SVHN, "test_32x32.mat", "SVHN('{root}', split='test', download=True)"),
        (STL10, "stl10_binary/test_X.bin", "STL10('{root}', split='test', download=True)"),
    ],
)
def test_missing_data_are_told_by_file_and_how_to_fetch_them(benchmark, file, fetch, tmp_path):
    with pytest.raises(DataNotFound) as error:
        benchmark.benchmark(lambda images: images, data_root=tmp_path)
    assert f"no {benchmark.name} at data_root {tmp_path}" in str(error.value)
    assert file in str(error.value)
    assert "torchvision.datasets." + fetch.format(root=tmp_path) in str(error.value)


@pytest.mark.parametrize("benchmark", [CIFAR10, CIFAR100, SVHN, STL10])
def test_a_damaged_file_is_noticed_by_its_md5(benchmark, tmp_path):
    for folder in ("", "cifar-10-batches-py", "cifar-100-python", "stl10_binary"):
        (tmp_path / folder).mkdir(exist_ok=True)
        for name in ("test_batch", "test", "test_32x32.mat", "test_X.bin"):
            (tmp_path / folder / name).write_bytes(b"damaged")
    with pytest.raises(DataNotFound, match="torchvision says: Dataset not found or corrupted"):
        benchmark.benchmark(lambda images: images, data_root=tmp_path)


def test_a_package_that_torchvision_needs_is_named(tmp_path):
    class NeedsMore:
        def __init__(self, root, split="train"):
            raise ModuleNotFoundError("No module named 'scipy'", name="scipy")

    class Needy(ImageClassification):
        name, dataset, classes, size = "Needy", NeedsMore, 2, 2

    with pytest.raises(DataError, match="torchvision reads Needy with scipy: pip install scipy"):
        Needy.benchmark(lambda images: images, data_root=tmp_path, input_transform=ToTensor())


@pytest.mark.parametrize("benchmark", [CIFAR10, CIFAR100, MNIST, SVHN, STL10])
def test_what_users_of_the_predecessor_know_is_unchanged(benchmark):
    kind = benchmark.__name__
    assert benchmark.task == "Image Classification"
    assert benchmark.dataset is getattr(torchvision.datasets, kind)
    assert benchmark.data_root == f"./.data/vision/{kind.lower()}"
    to_tensor, normalize = benchmark.input_transform.transforms
    assert isinstance(to_tensor, ToTensor)
    assert normalize is benchmark.normalize
