"""Transforms that run as they are written."""

import multiprocessing
import os

import pytest
import torch
from torchvision import transforms as v1

from torchbench.errors import ArgumentError, BrokenImage, TorchbenchError
from torchbench.images import ImageFiles
from torchbench.loading import LoadingOptions, open_batches

CROP = v1.Compose([v1.Resize((16, 16)), v1.ToTensor()])


def crop(image):  # a function: nobody can read what it does
    return CROP(image)


WORKERS = pytest.mark.parametrize("workers", [0, 2])


@pytest.mark.parametrize("batch_size", [1, 7, 64])
@WORKERS
def test_every_image_comes_once_and_in_order(pictures, load, workers, batch_size):
    found = load(pictures, crop, batch_size, workers)
    assert torch.equal(found, torch.stack([CROP(image) for image in pictures]))


def test_length_is_the_number_of_batches(pictures):
    with open_batches(pictures, crop, LoadingOptions(7, 0)) as batches:
        assert len(batches) == len(list(batches)) == 6


def test_each_iteration_starts_over(pictures):
    with open_batches(pictures, crop, LoadingOptions(9, 2)) as batches:
        first, second = torch.cat(list(batches)), torch.cat(list(batches))
    assert torch.equal(first, second)


def test_images_need_not_be_files(load):
    images = list(ImagesInMemory())
    found = load(images, v1.ToTensor(), num_workers=2)
    assert torch.equal(found, torch.stack([v1.ToTensor()(image) for image in images]))


class ImagesInMemory:
    def __iter__(self):
        return (v1.ToPILImage()(torch.full((3, 4, 4), number, dtype=torch.uint8)) for number in range(20))


@WORKERS
def test_error_of_the_transform_names_the_image_and_keeps_its_cause(pictures, load, workers):
    def fails_on_small_images(image):
        return CROP(image) if image.width > 10 else {}["crop"]

    with pytest.raises(ArgumentError, match=rf"KeyError on {pictures.paths[5]}: 'crop'") as caught:
        load(pictures, fails_on_small_images, num_workers=workers)
    assert isinstance(caught.value.__cause__, KeyError)


class UnportableError(Exception):
    def __init__(self, needed, also_needed):
        super().__init__(f"{needed} {also_needed}")


@WORKERS
def test_error_that_cannot_leave_its_process_is_told_all_the_same(pictures, load, workers):
    def fails(image):
        raise UnportableError("no", "way")

    with pytest.raises(ArgumentError, match=f"UnportableError on {pictures.paths[0]}: no way") as caught:
        load(pictures, fails, num_workers=workers)
    assert "no way" in str(caught.value.__cause__)


@WORKERS
def test_broken_image_is_named_as_such(pictures, load, workers, tmp_path):
    broken = tmp_path / "broken.JPEG"
    broken.write_bytes(pictures.paths[0].read_bytes()[:2000])
    images = ImageFiles([*pictures.paths[:9], broken])
    with pytest.raises(BrokenImage, match=str(broken)) as caught:
        load(images, crop, num_workers=workers)
    assert isinstance(caught.value.__cause__, OSError)


@WORKERS
@pytest.mark.parametrize("batch_size", [1, 8])  # shapes differ between batches, and within one
def test_different_shapes_are_told_with_their_images(pictures, load, workers, batch_size):
    with pytest.raises(ArgumentError, match=r"\(3, 220, 300\) for .*00.JPEG and \(3, 300, 220\) for .*01.JPEG"):
        load(pictures, v1.Compose([v1.ToTensor()]), batch_size, workers)


@WORKERS
def test_transform_that_gives_no_tensor_is_told_to_add_one(pictures, load, workers):
    with pytest.raises(ArgumentError, match=r"PIL.Image.Image for .*00.JPEG; add ToTensor\(\)"):
        load(pictures, v1.Resize((8, 8)), num_workers=workers)
    with pytest.raises(ArgumentError, match=r"add ToTensor\(\)"):
        load(pictures, None, num_workers=workers)


def test_transform_must_be_callable(pictures, load):
    with pytest.raises(ArgumentError, match="got 'resize'"):
        load(pictures, ["resize"])


def test_death_of_a_worker_is_told(pictures, load):
    with pytest.raises(TorchbenchError, match="a loading process ended"):
        load(pictures, lambda image: os._exit(9), num_workers=2)


@pytest.mark.parametrize("leave", ["close", "with", "drop", "error"])
def test_early_end_leaves_no_process(pictures, leave):
    batches = open_batches(pictures, crop, LoadingOptions(2, 2))
    iterator = iter(batches)
    next(iterator)
    assert len(multiprocessing.active_children()) == 2
    if leave == "close":
        batches.close()
    elif leave == "with":
        with batches:
            pass
    elif leave == "drop":
        del iterator
    else:
        with pytest.raises(RuntimeError, match="the caller's"):
            iterator.throw(RuntimeError("the caller's"))
    assert not multiprocessing.active_children()


def test_options_that_cannot_work_are_refused():
    with pytest.raises(ArgumentError, match="batch_size of at least 1, got 0"):
        LoadingOptions(0, 0)
    with pytest.raises(ArgumentError, match="num_workers of at least 0, got -1"):
        LoadingOptions(1, -1)
