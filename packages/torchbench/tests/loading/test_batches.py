"""The fast path: threads that fill batches."""

import os
import signal
import subprocess
import sys
import threading
import time

import numpy as np
import pytest
import torch
from torchvision import transforms as v1

from torchbench.errors import BrokenImage
from torchbench.images import ImageFiles
from torchbench.loading import LoadingOptions, open_batches
from torchbench.loading.buffers import BatchBuffers
from torchbench.loading.normalise import look_up, look_up_in_numpy, look_up_on_device

USUAL = v1.Compose(
    [v1.Resize(36), v1.CenterCrop(32), v1.ToTensor(), v1.Normalize((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))]
)
WORKERS = pytest.mark.parametrize("workers", [0, 1, 3])


def loading_threads():
    return [thread for thread in threading.enumerate() if thread.name.startswith("torchbench")]


@pytest.fixture(scope="session")
def expected(pictures):
    return torch.stack([USUAL(image) for image in pictures])


@pytest.mark.parametrize("batch_size", [1, 7, 64])
@WORKERS
def test_every_image_comes_once_and_in_order(pictures, expected, load, workers, batch_size):
    assert torch.equal(load(pictures, USUAL, batch_size, workers), expected)


def test_batches_that_are_kept_stay_what_they_were(pictures, expected):
    with open_batches(pictures, USUAL, LoadingOptions(5, 2)) as batches:
        assert batches.plan.name == "fast"
        assert torch.equal(torch.cat(list(batches)), expected)
        assert torch.equal(torch.cat([batch[:, :1] for batch in batches]), expected[:, :1])


def test_batches_that_are_dropped_lend_their_memory_to_later_ones(pictures):
    images = ImageFiles(pictures.paths * 10)
    with open_batches(images, USUAL, LoadingOptions(64, 2)) as batches:
        places = {batch.data_ptr() for batch in batches}
    assert len(places) <= 3 < len(batches)  # the caller's, the next one, and the one after


def test_view_of_a_batch_keeps_its_memory():
    buffers = BatchBuffers((4, 3), torch.float32, pinned=False)
    batch = buffers.take(4)
    row = batch.fill_(1)[2]
    del batch
    buffers.take(2).fill_(2)
    assert row.tolist() == [1, 1, 1]


def test_images_in_memory_take_the_fast_path_too(pictures, expected):
    images = list(pictures)
    with open_batches(images, USUAL, LoadingOptions(8, 2)) as batches:
        assert batches.plan.describe()["decoder"] == "Pillow"
        assert torch.equal(torch.cat(list(batches)), expected)


def test_no_images_are_no_batches(load):
    with open_batches(ImageFiles([]), USUAL, LoadingOptions(8, 2)) as batches:
        assert len(batches) == 0
        assert list(batches) == []


@WORKERS
@pytest.mark.parametrize("place", [0, 3, 13])
def test_first_broken_image_in_order_is_the_one_named(pictures, workers, place, tmp_path):
    paths = list(pictures.paths)
    for number in (place, place + 1, 20):
        paths[number] = tmp_path / f"broken {number}"
        paths[number].write_bytes(b"\xff\xd8\xff" if number > place else pictures.paths[0].read_bytes()[:999])
    seen = 0
    with pytest.raises(BrokenImage, match=f"broken {place} ") as caught:
        for batch in open_batches(ImageFiles(paths), USUAL, LoadingOptions(4, workers)):
            seen += len(batch)
    assert seen == place // 4 * 4
    assert caught.value.__cause__ is not None
    assert not loading_threads()


@pytest.mark.parametrize("leave", ["close", "with", "drop", "error"])
def test_early_end_leaves_no_thread(pictures, leave):
    batches = open_batches(pictures, USUAL, LoadingOptions(2, 2))
    iterator = iter(batches)
    next(iterator)
    assert len(loading_threads()) == 2
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
    assert not loading_threads()


def test_no_worker_means_no_thread(pictures):
    iterator = iter(open_batches(pictures, USUAL, LoadingOptions(2, 0)))
    next(iterator)
    assert not loading_threads()


def test_accelerator_gets_values_of_the_same_shape(pictures, expected):
    with open_batches(pictures, USUAL, LoadingOptions(8, 2, device=torch.device("meta"))) as batches:
        received = list(batches)
    assert {batch.device.type for batch in received} == {"meta"}
    assert sum(len(batch) for batch in received) == len(expected)
    assert received[0].shape[1:] == expected.shape[1:]
    assert received[0].dtype == torch.float32


@pytest.mark.parametrize("shape", [(3, 8, 9, 3), (1, 1, 1, 3), (2, 33, 1, 3)])
def test_every_way_of_looking_values_up_gives_the_same(shape):
    random = np.random.default_rng(0)
    levels, table = random.integers(0, 256, shape, np.uint8), random.random((3, 256), np.float32)
    by_hand = np.stack([table[channel][levels[..., channel]] for channel in range(3)], axis=1)
    native, plain = np.empty_like(by_hand), np.empty_like(by_hand)
    look_up(levels, table, native)
    look_up_in_numpy(levels, table, plain)
    on_device = look_up_on_device(torch.from_numpy(levels), torch.from_numpy(table)).numpy()
    assert np.array_equal(native, by_hand)
    assert np.array_equal(plain, by_hand)
    assert np.array_equal(on_device, by_hand)


def test_native_kernel_refuses_buffers_that_do_not_fit():
    native = pytest.importorskip("torchbench.loading._normalise")
    levels, table, values = np.zeros((2, 4, 4, 3), np.uint8), np.zeros((3, 256), np.float32), np.zeros(95, np.float32)
    with pytest.raises(ValueError, match="expected uint8"):
        native.look_up(levels, table, values, 2)


INTERRUPTED = """
import multiprocessing, sys, time
from pathlib import Path
from torchvision import transforms as v1
from torchbench.images import ImageFiles
from torchbench.loading import LoadingOptions, open_batches

usual = v1.Compose([v1.Resize((32, 32)), v1.ToTensor()])
slow = lambda image: (time.sleep(0.05), usual(image))[1]
images = ImageFiles(sorted(Path(sys.argv[2]).iterdir()) * 100)
with open_batches(images, slow if sys.argv[1] == "as written" else usual, LoadingOptions(4, 2)) as batches:
    for batch in batches:
        print(*[child.pid for child in multiprocessing.active_children()], flush=True)
        time.sleep(0.1)
"""


@pytest.mark.parametrize("plan", ["fast", "as written"])
def test_interrupt_ends_everything_with_one_traceback(pictures, plan):
    command = [sys.executable, "-c", INTERRUPTED, plan, str(pictures.paths[0].parent)]
    script = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    workers = [int(pid) for pid in script.stdout.readline().split()]
    assert len(workers) == (2 if plan == "as written" else 0)
    os.killpg(script.pid, signal.SIGINT)  # as a terminal does it: every process of the group gets it
    _, complaints = script.communicate(timeout=20)
    assert complaints.count("Traceback") == 1
    assert complaints.rstrip().endswith("KeyboardInterrupt")
    assert not any(is_alive(pid) for pid in workers)


def is_alive(pid):
    for _ in range(50):
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return False
        time.sleep(0.1)
    return True
