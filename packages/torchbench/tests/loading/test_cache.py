"""The prepared cache."""

import json
import multiprocessing
import os
import signal
import time

import numpy as np
import pytest
import torch
from torchvision import transforms as v1

from torchbench.__main__ import main
from torchbench.dataset import ImageNetReader
from torchbench.errors import BrokenImage
from torchbench.images import ImageFiles
from torchbench.loading import LoadingOptions, open_batches
from torchbench.loading.cache import PreparedCache
from torchbench.loading.entry import HEADER, Contents, Draft, Entry, Unusable, checksums_of

NORMALIZE = v1.Normalize((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))


def usual(size):
    return v1.Compose([v1.Resize(size + 4), v1.CenterCrop(size), v1.ToTensor(), NORMALIZE])


USUAL = usual(32)
KNOWN = {"fingerprint": "of the pictures", "in_order": "one after the other"}


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "prepared"


@pytest.fixture
def evaluate(pictures, folder):
    """The plan's name and all values of one evaluation through the cache."""

    def evaluate(transform=USUAL, images=pictures, **changes):
        options = {"batch_size": 7, "num_workers": 2, "cache": folder, **KNOWN} | changes
        with open_batches(images, transform, LoadingOptions(**options)) as batches:
            return batches.plan.name, torch.cat([batch.clone() for batch in batches])

    return evaluate


@pytest.fixture
def expected(pictures):
    return lambda size=32: torch.stack([usual(size)(image) for image in pictures])


def files(folder):
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize("workers", [0, 2])
def test_first_evaluation_writes_and_later_ones_read_the_same_bits(evaluate, expected, folder, workers, capsys):
    name, values = evaluate(num_workers=workers)
    assert name == "fast"
    assert torch.equal(values, expected())
    assert capsys.readouterr().err == f"writing the prepared cache: 0.1 MB to {folder}\n"
    assert [name.partition(".")[2] for name in files(folder)] == ["prepared"]
    name, values = evaluate(num_workers=workers)
    assert name == "cached"
    assert torch.equal(values, expected())
    assert capsys.readouterr().err == ""


def test_cached_evaluation_decodes_nothing_but_the_first_image(evaluate, pictures, expected, tmp_path):
    copies = ImageFiles([tmp_path / path.name for path in pictures.paths])
    for original, copy in zip(pictures.paths, copies.paths, strict=True):
        copy.write_bytes(original.read_bytes())
    evaluate(images=copies)
    for copy in copies.paths[1:]:
        copy.unlink()
    name, values = evaluate(images=copies)
    assert name == "cached"
    assert torch.equal(values, expected())


def test_one_entry_serves_every_normalisation_of_a_geometry(evaluate, pictures, folder):
    evaluate()
    levels = v1.Compose([v1.Resize(36), v1.CenterCrop(32), v1.PILToTensor()])
    name, values = evaluate(levels)
    assert name == "cached"
    assert torch.equal(values, torch.stack([levels(image) for image in pictures]))
    assert len(files(folder)) == 1


def test_other_geometry_filter_data_or_order_is_another_entry(evaluate, folder):
    evaluate()
    bicubic = v1.Compose([v1.Resize(36, v1.InterpolationMode.BICUBIC), v1.CenterCrop(32), v1.ToTensor()])
    others = ({"transform": usual(40)}, {"transform": bicubic}, {"fingerprint": "other"}, {"in_order": "other"})
    for number, change in enumerate(others, start=2):
        assert evaluate(**change)[0] == "fast"
        assert len(files(folder)) == number


def test_evaluation_that_stops_half_way_leaves_nothing(pictures, folder):
    images = ImageFiles(pictures.paths * 3)
    options = LoadingOptions(4, 2, cache=folder, **KNOWN)
    with open_batches(images, usual(32), options) as batches:
        next(iter(batches))
    assert files(folder) == []


def test_evaluation_that_fails_leaves_nothing(evaluate, pictures, folder, tmp_path):
    broken = tmp_path / "broken"
    broken.write_bytes(b"\xff\xd8\xff")
    with pytest.raises(BrokenImage, match="broken"):
        evaluate(images=ImageFiles([*pictures.paths, broken]))
    assert files(folder) == []


def test_damaged_crop_is_noticed_decoded_anew_and_the_entry_removed(evaluate, expected, folder, capsys):
    evaluate()
    (entry,) = folder.iterdir()
    content = bytearray(entry.read_bytes())
    content[HEADER + 20 * 32 * 32 * 3 + 5] ^= 1
    entry.write_bytes(content)
    capsys.readouterr()
    name, values = evaluate()
    assert name == "cached"
    assert torch.equal(values, expected())
    assert "is damaged; decoding the images instead" in capsys.readouterr().err
    assert files(folder) == []


@pytest.mark.parametrize("damage", ["truncated", "empty", "no header", "other checksums", "other contents"])
def test_torn_or_stale_entry_is_never_read(evaluate, expected, folder, damage):
    evaluate()
    (entry,) = folder.iterdir()
    whole = entry.read_bytes()
    torn = {
        "truncated": whole[:-1],
        "empty": b"",
        "no header": bytes(HEADER) + whole[HEADER:],
        "other checksums": whole[:-1] + bytes([whole[-1] ^ 1]),
        "other contents": whole.replace(b'"filter": "bilinear"', b'"filter": "lanczos" '),
    }
    entry.write_bytes(torn[damage])
    name, values = evaluate()
    assert name == "fast"
    assert torch.equal(values, expected())
    assert evaluate()[0] == "cached"


def test_crop_that_contradicts_the_first_image_is_stale(evaluate, pictures, expected, tmp_path):
    other = tmp_path / pictures.paths[0].name
    other.write_bytes(pictures.paths[1].read_bytes())
    evaluate(images=ImageFiles([other, *pictures.paths[1:]]))
    name, values = evaluate()
    assert name == "fast"
    assert torch.equal(values, expected())


def test_read_only_folder_is_read_and_never_written(evaluate, expected, folder, capsys):
    evaluate()
    before = [(path.name, path.stat().st_mtime_ns) for path in folder.iterdir()]
    folder.chmod(0o555)
    capsys.readouterr()
    try:
        assert evaluate()[0] == "cached"
        name, values = evaluate(usual(40))
    finally:
        folder.chmod(0o755)
    assert name == "fast"
    assert torch.equal(values, expected(40))
    assert capsys.readouterr().err == ""
    assert [(path.name, path.stat().st_mtime_ns) for path in folder.iterdir()] == before


def test_folder_that_cannot_be_made_is_told_and_done_without(evaluate, expected, tmp_path, capsys):
    (tmp_path / "file").write_text("no folder")
    name, values = evaluate(cache=tmp_path / "file" / "cache")
    assert name == "fast"
    assert torch.equal(values, expected())
    assert "no prepared cache is written" in capsys.readouterr().err


def test_least_recently_used_entry_makes_room(evaluate, folder):
    room_for_two = 2 * 36 * 40 * 40 * 3 + 3 * HEADER
    for size in (32, 36):
        evaluate(usual(size), cache_bytes=room_for_two)
        time.sleep(0.02)
    assert evaluate(usual(32), cache_bytes=room_for_two)[0] == "cached"  # now 36 is the one used longest ago
    assert evaluate(usual(40), cache_bytes=room_for_two)[0] == "fast"
    sizes = {stored.contents.height for stored in PreparedCache(folder, 0).entries()}
    assert sizes == {32, 40}


def test_entry_larger_than_the_limit_is_not_written(evaluate, folder, capsys):
    assert evaluate(cache_bytes=50_000)[0] == "fast"
    assert "the limit is 0.1 MB" in capsys.readouterr().err
    assert files(folder) == []


def write_in_a_child(pictures, folder, then):
    """An evaluation in another process, which calls `then` with the number of each batch."""

    def child():
        options = LoadingOptions(4, 2, cache=folder, **KNOWN)
        with open_batches(pictures, usual(32), options) as batches:
            for number, _ in enumerate(batches):
                then(number)

    process = multiprocessing.get_context("fork").Process(target=child)
    process.start()
    return process


@pytest.mark.parametrize("after", [0, 4, 8])
def test_writer_that_is_killed_leaves_a_usable_folder(pictures, evaluate, expected, folder, after):
    process = write_in_a_child(
        pictures, folder, lambda number: number == after and os.kill(os.getpid(), signal.SIGKILL)
    )
    process.join(20)
    assert process.exitcode == -signal.SIGKILL
    assert [name.partition(".")[2] for name in files(folder)] == ["draft"]
    name, values = evaluate()
    assert name == "fast"
    assert torch.equal(values, expected())
    assert evaluate()[0] == "cached"
    assert [name.partition(".")[2] for name in files(folder)] == ["prepared"]


def test_abandoned_draft_of_another_entry_is_removed(evaluate, folder):
    folder.mkdir()
    (folder / "0123456789abcdef.draft").write_bytes(b"left by a process that was killed")
    evaluate()
    assert [name.partition(".")[2] for name in files(folder)] == ["prepared"]


def test_two_writers_at_once_make_one_entry(pictures, evaluate, expected, folder, capsys):
    gate = multiprocessing.get_context("fork").Event()
    process = write_in_a_child(pictures, folder, lambda number: number == 0 and gate.wait(20))
    while not folder.exists() or not files(folder):
        time.sleep(0.01)
    name, values = evaluate()
    assert name == "fast"
    assert torch.equal(values, expected())
    assert "another process is writing it" in capsys.readouterr().err
    assert [name.partition(".")[2] for name in files(folder)] == ["draft"]
    gate.set()
    process.join(20)
    assert process.exitcode == 0
    assert evaluate()[0] == "cached"


CONTENTS = Contents("data", "in order", 0, {"resize": 8}, "box", "decoder", "pillow", count=5, height=3, width=5)


def test_draft_without_all_its_crops_becomes_nothing(tmp_path):
    path = tmp_path / "key.prepared"
    draft = Draft(path, CONTENTS)
    draft.write(0, np.zeros((4, 3, 5, 3), np.uint8))
    draft.finish()
    assert files(tmp_path) == []


def test_entry_gives_back_what_was_written_in_any_order(tmp_path):
    path, crops = tmp_path / "key.prepared", np.random.default_rng(0).integers(0, 256, (5, 3, 5, 3), np.uint8)
    draft = Draft(path, CONTENTS)
    draft.write(3, crops[3:])
    draft.write(0, crops[:3])
    with pytest.raises(Unusable, match="another process"):
        Draft(path, CONTENTS)
    draft.finish()
    entry, found = Entry(path, CONTENTS), np.empty((3, 3, 5, 3), np.uint8)
    entry.read(1, found)
    entry.close()
    assert np.array_equal(found, crops[1:4])


@pytest.mark.parametrize("shape", [(1, 1, 1, 3), (2, 13, 13, 3), (1, 16, 32, 3), (2, 31, 29, 3)])
def test_checksum_notices_every_single_byte(shape):
    crops = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    checksums = checksums_of(crops)
    assert len(set(checksums.tolist())) == len(crops)
    flat = crops.reshape(-1)
    for place in range(len(flat)):
        flat[place] ^= 0x80
        assert not np.array_equal(checksums_of(crops), checksums)
        flat[place] ^= 0x80
    assert np.array_equal(checksums_of(crops), checksums)


def test_full_disk_ends_the_writing_and_not_the_evaluation(evaluate, expected, folder, capsys, monkeypatch):
    resource = pytest.importorskip("resource")
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    monkeypatch.setattr(signal, "SIGXFSZ", signal.SIGXFSZ)
    previous = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)  # then a write beyond the limit fails like a full disk's
    resource.setrlimit(resource.RLIMIT_FSIZE, (40_000, limits[1]))
    try:
        _, values = evaluate()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, previous)
    assert torch.equal(values, expected())
    assert "cannot be written further" in capsys.readouterr().err
    assert files(folder) == []


def test_command_line_prepares_lists_and_clears(few_images, environment, folder, capsys):
    environment(SOTABENCH_CACHE_DIR=folder)
    prepare = ["cache", "prepare", "--data-root", str(few_images), "--resize", "40", "--crop", "32", "--workers", "2"]
    assert main(prepare) == 0
    assert "prepared: 15 images" in capsys.readouterr().out
    assert main(prepare) == 0
    assert "writing" not in capsys.readouterr().err
    assert main(["cache", "list"]) == 0
    listed = capsys.readouterr().out
    assert "15 images of 32x32  bilinear  resize 40" in listed
    assert "1 entries" in listed
    key = listed.split()[0]
    assert main(["cache", "clear", "unknown"]) == 1
    assert "['unknown']" in capsys.readouterr().err
    assert main(["cache", "clear"]) == 1
    assert main(["cache", "clear", key]) == 0
    assert main(["cache", "clear", "--all"]) == 0
    assert files(folder) == []


def test_command_line_prepares_several_geometries_at_once(few_images, environment, folder, capsys):
    environment(SOTABENCH_CACHE_DIR=folder)
    asked = ["--geometry", "40/32/bilinear", "--geometry", "36/32/bicubic"]
    assert main(["cache", "prepare", "--data-root", str(few_images), *asked]) == 0
    main(["cache", "list"])
    listed = capsys.readouterr().out
    assert "bilinear  resize 40" in listed
    assert "bicubic  resize 36" in listed
    with pytest.raises(SystemExit):
        main(["cache", "prepare", "--data-root", str(few_images), "--geometry", "256/224/nearest"])


def test_command_line_without_a_folder_asks_for_one(environment, capsys):
    environment()
    assert main(["cache", "list"]) == 1
    assert "SOTABENCH_CACHE_DIR" in capsys.readouterr().err


def test_command_line_says_when_the_cache_cannot_take_the_images(few_images, environment, folder, capsys):
    environment(SOTABENCH_CACHE_DIR=folder)
    assert main(["cache", "prepare", "--data-root", str(few_images), "--limit", "0.00001"]) == 1
    assert "the limit is 0.0 MB" in capsys.readouterr().err


def test_prepared_by_hand_serves_the_evaluation(few_images, environment, folder, evaluate, capsys):
    environment(SOTABENCH_CACHE_DIR=folder)
    main(["cache", "prepare", "--data-root", str(few_images), "--resize", "36", "--crop", "32"])
    found = ImageNetReader().find(few_images, remember=None)
    in_order = found.in_order(slice(None))
    name, values = evaluate(images=found.images, fingerprint=found.fingerprint, in_order=in_order)
    assert name == "cached"
    assert torch.equal(values, torch.stack([usual(32)(image) for image in found.images]))


def test_entry_of_an_older_version_is_not_used_and_can_be_listed_and_cleared(evaluate, environment, folder, capsys):
    evaluate()
    (entry,) = folder.iterdir()
    header = json.loads(entry.read_bytes()[:HEADER])
    header |= {"format": 1, "names": header.pop("in_order")}
    entry.write_bytes(json.dumps(header).encode().ljust(HEADER) + entry.read_bytes()[HEADER:])
    environment(SOTABENCH_CACHE_DIR=folder)
    assert main(["cache", "list"]) == 0
    assert "unreadable" in capsys.readouterr().out
    assert evaluate()[0] == "fast"
    assert evaluate()[0] == "cached"
    assert main(["cache", "clear", "--all"]) == 0
    assert files(folder) == []


def test_images_whose_order_is_not_known_are_not_cached(evaluate, folder):
    evaluate(in_order=None)
    assert not folder.exists()
