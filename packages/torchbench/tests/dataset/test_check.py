"""Every file is read and whole, once; the fingerprint is of the contents alone."""

import hashlib
import io
import os
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from torchbench.dataset.fingerprint import check_files, fingerprint_of
from torchbench.dataset.memory import Memory
from torchbench.dataset.wholeness import why_broken
from torchbench.errors import BrokenImage


def encoded(kind: str, mode: str = "RGB", size: tuple[int, int] = (64, 48)) -> bytes:
    file = io.BytesIO()
    pixels = np.random.default_rng(0).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
    Image.fromarray(pixels).convert(mode).save(file, kind)
    return file.getvalue()


@pytest.fixture
def folder(put, tmp_path):
    """Six images, and their names."""
    names = [f"n0{n}/{n}.JPEG" for n in range(6)]
    return put(tmp_path / "data", *names), names


def swap(path, content: bytes) -> None:
    """Another content of the same size behind the same size, time and inode."""
    stat = path.stat()
    assert len(content) == stat.st_size
    with path.open("r+b") as file:
        file.write(content)
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))


def flipped(content: bytes) -> bytes:
    return content[:300] + bytes([content[300] ^ 1]) + content[301:]


def test_the_fingerprint_is_the_formula_in_its_docstring(folder):
    root, names = folder
    digests = sorted(hashlib.sha256((root / name).read_bytes()).digest() for name in names)
    assert check_files(root, names, remember=None).fingerprint == hashlib.sha256(b"".join(digests)).hexdigest()


def test_a_test_set_knows_which_of_its_images_come_when(put, find, tmp_path):
    root = put(tmp_path / "data", "val/n01440764/0.JPEG", "val/n01440764/1.JPEG", "val/n01443537/0.JPEG")
    found = find(root)
    each = [hashlib.sha256(path.read_bytes()).digest() for path in found.images.paths]
    assert found.in_order(slice(None)) == hashlib.sha256(b"".join(each)).hexdigest()
    assert found.in_order(slice(1, 3)) == hashlib.sha256(b"".join(each[1:])).hexdigest()


@given(st.lists(st.binary(min_size=32, max_size=32)), st.randoms())
def test_the_fingerprint_does_not_know_the_order(digests, random):
    shuffled = digests.copy()
    random.shuffle(shuffled)
    assert fingerprint_of(shuffled) == fingerprint_of(digests)


def test_two_copies_of_an_image_are_not_one():
    assert fingerprint_of([b"\0" * 32]) != fingerprint_of([b"\0" * 32] * 2)


def test_layout_and_names_do_not_change_the_fingerprint(put, find, filed, validation_name, tmp_path):
    numbers = (1, 2, 3)
    folders = find(put(tmp_path / "a", *(f"val/{filed(number)}" for number in numbers)))
    flat = find(put(tmp_path / "b", *(validation_name(number) for number in numbers)))
    by_index = find(put(tmp_path / "c", "65/x.JPEG", "970/y.JPEG", "230/z.JPEG"))
    assert folders.fingerprint == flat.fingerprint == by_index.fingerprint
    assert find(put(tmp_path / "d", "65/x.JPEG", "970/y.JPEG")).fingerprint != flat.fingerprint


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "BMP", "TIFF", "PPM"])
def test_whole_images_of_every_kind_pass(kind):
    assert why_broken(encoded(kind)) is None


@pytest.mark.parametrize("mode", ["L", "CMYK"])
def test_grey_and_cmyk_photographs_pass(mode):
    assert why_broken(encoded("JPEG", mode)) is None


@pytest.mark.parametrize("after", [b"", b"\0" * 20, b"\r\n", b"\0" * 200, b"trailer" * 30])
def test_bytes_behind_a_whole_photograph_are_fine(after):
    assert why_broken(encoded("JPEG") + after) is None


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "BMP", "TIFF"])
@pytest.mark.parametrize("kept", [0.02, 0.5, 0.97])
def test_truncated_images_of_every_kind_are_noticed(kind, kept):
    whole = encoded(kind)
    assert why_broken(whole[: int(len(whole) * kept)]) is not None


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "empty"),
        (b"<!DOCTYPE html><html>404</html>", "a web page"),
        (b"\n <html><body>Sign in</body></html>", "a web page"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n", "git-lfs pointer"),
        (b"just text", "not an image"),
        (bytes(5000), "zero bytes"),
        (encoded("JPEG")[:2000], "truncated"),
        (encoded("JPEG")[:2000] + bytes(3000), "zero bytes at its end"),
        (encoded("PNG")[:2000], "truncated"),
    ],
)
def test_the_reason_is_said_in_a_few_words(content, reason):
    assert reason in why_broken(content)


def test_all_broken_files_are_counted_and_the_first_named(folder):
    root, names = folder
    (root / names[1]).write_bytes(b"")
    (root / names[3]).write_bytes(b"<html>")
    (root / names[4]).write_bytes((root / names[4]).read_bytes()[:400])
    with pytest.raises(BrokenImage) as error:
        check_files(root, names, remember=None)
    message = str(error.value)
    assert f"3 of 6 image files under {root}" in message
    assert f"{names[1]}: empty (0 bytes)" in message
    assert f"{names[3]}: a web page" in message
    assert f"{names[4]}: truncated (400 bytes" in message
    assert "copy these files again" in message


def test_many_broken_files_are_not_all_named(put, tmp_path):
    names = [f"{n:03d}.JPEG" for n in range(200)]
    with pytest.raises(BrokenImage, match=r"200 of 200 [\s\S]*004\.JPEG[\s\S]*and 195 more"):
        check_files(put(tmp_path, *names, content=b""), names, remember=None)


def test_a_link_that_leads_nowhere_is_a_broken_file(put, find, filed, tmp_path):
    root = put(tmp_path, f"val/{filed(1)}")
    (root / "val" / "n01440764").mkdir()
    (root / "val" / "n01440764" / "gone.JPEG").symlink_to(tmp_path / "nowhere")
    with pytest.raises(BrokenImage, match=r"gone\.JPEG: a link that leads nowhere"):
        find(root)


def test_unchanged_files_are_not_read_again(folder, tmp_path):
    root, names = folder
    first = check_files(root, names, remember=tmp_path / "memory")
    swap(root / names[0], flipped((root / names[0]).read_bytes()))
    assert check_files(root, names, remember=None).fingerprint != first.fingerprint
    assert check_files(root, names, remember=tmp_path / "memory") == first


@pytest.mark.parametrize("what", ["time", "inode", "size"])
def test_changed_files_are_read_again(folder, tmp_path, what):
    root, names = folder
    path, memory = root / names[2], tmp_path / "memory"
    first = check_files(root, names, remember=memory)
    stat, content = path.stat(), flipped(path.read_bytes())
    if what == "inode":
        copy = path.with_name("copy")
        copy.write_bytes(content)
        copy.replace(path)
    else:
        path.write_bytes(content if what == "time" else content + b"\0")
    moved = 1_000_000_000 if what == "time" else 0
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns + moved))
    again = check_files(root, names, remember=memory)
    assert again.fingerprint != first.fingerprint
    assert again == check_files(root, names, remember=None)


def test_new_files_are_read_and_vanished_ones_forgotten(folder, put, tmp_path):
    root, names = folder
    memory = tmp_path / "memory"
    check_files(root, names[:4], remember=memory)
    assert check_files(root, names[1:], remember=memory) == check_files(root, names[1:], remember=None)


def test_a_file_that_breaks_later_is_noticed(folder, tmp_path):
    root, names = folder
    check_files(root, names, remember=tmp_path / "memory")
    (root / names[5]).write_bytes(b"")
    with pytest.raises(BrokenImage, match=names[5]):
        check_files(root, names, remember=tmp_path / "memory")


def test_whole_files_are_remembered_beside_broken_ones(folder, tmp_path):
    root, names = folder
    whole = (root / names[0]).read_bytes()
    (root / names[5]).write_bytes(b"")
    with pytest.raises(BrokenImage):
        check_files(root, names, remember=tmp_path / "memory")
    swap(root / names[0], flipped(whole))  # read again it would change the fingerprint
    (root / names[5]).write_bytes(whole)
    expected = [whole, *((root / name).read_bytes() for name in names[1:])]
    digests = [hashlib.sha256(content).digest() for content in expected]
    assert check_files(root, names, remember=tmp_path / "memory").fingerprint == fingerprint_of(digests)


def test_files_changed_just_now_are_read_again(folder, tmp_path):
    root, names = folder
    now = time.time_ns()
    os.utime(root / names[0], ns=(now, now))
    first = check_files(root, names, remember=tmp_path / "memory")
    swap(root / names[0], flipped((root / names[0]).read_bytes()))
    assert check_files(root, names, remember=tmp_path / "memory").fingerprint != first.fingerprint


@pytest.mark.parametrize("content", [b"", b"garbage", b"PK\x03\x04garbage"])
def test_a_torn_memory_is_ignored_and_written_anew(folder, tmp_path, content):
    root, names = folder
    memory = tmp_path / "memory"
    first = check_files(root, names, remember=memory)
    file = next(memory.iterdir())
    whole = file.read_bytes()
    for torn in (content, whole[: len(whole) // 2], whole[:-30]):
        file.write_bytes(torn)
        assert check_files(root, names, remember=memory) == first
        assert len(file.read_bytes()) == len(whole)
    assert list(memory.iterdir()) == [file]


def test_a_memory_with_other_shapes_is_ignored(folder, tmp_path):
    root, names = folder
    memory = Memory.of(root, under=tmp_path)
    np.savez(memory.file, names=np.frombuffer(b"a", np.uint8), stats=np.zeros((2, 3), np.int64), digests=np.zeros(3))
    assert check_files(root, names, remember=tmp_path) == check_files(root, names, remember=None)


def test_a_memory_of_pickles_is_never_loaded(folder, tmp_path):
    root, names = folder
    memory = Memory.of(root, under=tmp_path)
    np.savez(memory.file, names=np.array([{}], object), stats=np.zeros((1, 3), np.int64), digests=np.zeros(3))
    assert check_files(root, names, remember=tmp_path) == check_files(root, names, remember=None)


def test_two_data_folders_have_two_memories(put, tmp_path):
    for root in (tmp_path / "a", tmp_path / "b"):
        check_files(put(root, "0.JPEG"), ["0.JPEG"], remember=tmp_path / "memory")
    assert len(list((tmp_path / "memory").iterdir())) == 2


def test_a_memory_that_cannot_be_written_stops_nobody_and_is_said(folder, put, find, filed, tmp_path):
    root, names = folder
    (tmp_path / "file").write_text("in the way")
    checked = check_files(root, names, remember=tmp_path / "file" / "memory")
    assert checked.fingerprint == check_files(root, names, remember=None).fingerprint
    assert "cannot be written" in checked.notes[0]
    found = find(put(tmp_path / "root", filed(1)), remember=tmp_path / "file" / "memory")
    assert "cannot be written" in found.assumptions[-1]


def test_names_that_are_not_utf8_are_remembered(put, tmp_path):
    name = os.fsdecode(b"caf\xe9.JPEG")
    first = check_files(put(tmp_path / "data", name), [name], remember=tmp_path / "memory")
    swap(tmp_path / "data" / name, flipped((tmp_path / "data" / name).read_bytes()))
    assert check_files(tmp_path / "data", [name], remember=tmp_path / "memory") == first


def test_several_processes_may_check_at_once(folder, tmp_path):
    root, names = folder
    with ThreadPoolExecutor(8) as pool:
        checked = list(pool.map(lambda _: check_files(root, names, remember=tmp_path / "memory"), range(16)))
    assert len({one.fingerprint for one in checked}) == 1
    assert len(list((tmp_path / "memory").iterdir())) == 1
