"""The validation archive: extracted once, whatever happens meanwhile."""

import hashlib
import io
import os
import signal
import subprocess
import sys
import tarfile
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import torch

from torchbench.dataset import ImageNetReader
from torchbench.dataset.archives import MARKER, Archive, extract
from torchbench.dataset.labels import validation_labels, wnids
from torchbench.errors import DataError

COUNT = 12

# a process that is stopped in the act: before its fourth image gets its name, or while its third is being written
EXTRACT_AND_STOP = """
import os, signal, sys
from pathlib import Path
from torchbench.dataset import ImageNetReader
from torchbench.dataset.archives import Archive
root, md5, event, count, how = sys.argv[1:]
seen = 0
def stop(name, arguments):
    global seen
    if name == event and ".part-" in str(arguments[0]):
        seen += 1
        if seen == int(count):
            seen = 10**6
            os.kill(os.getpid(), getattr(signal, how))
sys.addaudithook(stop)
ImageNetReader(val_archive=Archive("ILSVRC2012_img_val.tar", md5)).find(Path(root), remember=None)
"""


@pytest.fixture
def members(jpeg, validation_name):
    return [(validation_name(number), jpeg(number)) for number in range(1, COUNT + 1)]


def images_in(root: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in root.rglob("*.JPEG")}


def hidden_in(root: Path) -> list[str]:
    return [path.name for path in root.rglob(".*")]


def test_the_archive_alone_becomes_class_folders(archived, members, find, tmp_path):
    found = find(tmp_path, archived(tmp_path, members))
    assert sorted(found.ids) == [name.removesuffix(".JPEG") for name, _ in members]
    assert sorted(found.labels.tolist()) == sorted(validation_labels()[:COUNT].tolist())
    assert images_in(tmp_path / "val") == dict(members)
    assert (tmp_path / "val" / "n01751748" / "ILSVRC2012_val_00000001.JPEG").is_file()
    assert hidden_in(tmp_path) == []


def test_it_is_extracted_once(archived, members, find, tmp_path):
    reader = archived(tmp_path, members)
    first = find(tmp_path, reader)
    (tmp_path / "ILSVRC2012_img_val.tar").unlink()
    assert find(tmp_path, reader).fingerprint == first.fingerprint


def test_an_archive_beside_a_subset_is_mentioned(archived, members, find, filed, put, tmp_path):
    reader = archived(tmp_path, members)
    found = find(put(tmp_path, f"val/{filed(1)}"), reader)
    assert len(found.images) == 1
    assert any("ILSVRC2012_img_val.tar is not read" in sentence for sentence in found.assumptions)


@pytest.mark.parametrize(
    "when",
    [("os.rename", "4", "SIGKILL"), ("open", "3", "SIGKILL"), ("os.rename", "4", "SIGINT")],
    ids=["killed before a rename", "killed while writing", "interrupted"],
)
def test_an_extraction_that_was_stopped_goes_on_where_it_stopped(archived, members, find, tmp_path, when):
    reader = archived(tmp_path, members)
    command = [sys.executable, "-c", EXTRACT_AND_STOP, str(tmp_path), reader.val_archive.md5, *when]
    stopped = subprocess.run(command, check=False, capture_output=True, text=True)
    assert stopped.returncode == -signal.Signals[when[2]], stopped.stderr
    before = {path: path.stat().st_ino for path in (tmp_path / "val").rglob("*.JPEG")}
    assert 2 <= len(before) <= 4
    assert all(path.read_bytes() == dict(members)[path.name] for path in before), "what has its name is whole"
    assert (tmp_path / "val" / MARKER).is_file()
    parts = list((tmp_path / "val").glob(".part-*"))
    for part in parts:
        os.utime(part, (1e9, 1e9))
    assert len(find(tmp_path, reader).images) == COUNT
    assert {path: path.stat().st_ino for path in before} == before, "nothing is extracted twice"
    assert hidden_in(tmp_path) == []


def test_a_stopped_extraction_is_not_taken_for_a_subset(archived, members, find, filed, put, tmp_path):
    reader = archived(tmp_path, members)
    put(tmp_path, f"val/{filed(1)}")
    (tmp_path / "val" / MARKER).write_text("")
    assert len(find(tmp_path, reader).images) == COUNT
    (tmp_path / "val" / MARKER).write_text("")
    (tmp_path / "ILSVRC2012_img_val.tar").unlink()
    for data_root in (tmp_path, tmp_path / "val"):
        with pytest.raises(DataError, match="was interrupted, and the archive is gone"):
            find(data_root, reader)


def test_a_stopped_extraction_goes_on_when_val_itself_is_given(archived, members, find, tmp_path):
    reader = archived(tmp_path, members)
    (tmp_path / "val").mkdir()
    (tmp_path / "val" / MARKER).write_text("")
    assert len(find(tmp_path / "val", reader).images) == COUNT


def test_several_processes_may_extract_at_once(archived, members, find, tmp_path):
    reader = archived(tmp_path, members)
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda _: find(tmp_path, reader), range(4)))
    assert {(len(one.images), one.fingerprint) for one in found} == {(COUNT, found[0].fingerprint)}
    assert images_in(tmp_path / "val") == dict(members)


def test_a_damaged_archive_is_refused_before_anything_is_written(archived, members, find, tmp_path):
    reader = archived(tmp_path, members)
    path = tmp_path / "ILSVRC2012_img_val.tar"
    path.write_bytes(path.read_bytes()[:-2000])
    with pytest.raises(DataError, match="damaged or incomplete: expected the MD5") as refused:
        find(tmp_path, reader)
    assert reader.val_archive.md5 in str(refused.value)
    assert not (tmp_path / "val").exists()


def test_the_md5s_expected_are_those_of_the_official_archives():
    reader = ImageNetReader()
    assert reader.val_archive.md5 == "29b22e2961454d5413ddabcf34fc5622"
    assert reader.devkit_archive.md5 == "fa75699e90414af021442c21a62c3abf"


def test_a_file_that_is_no_archive_is_named(find, tmp_path):
    content = b"not a tar" * 1000
    (tmp_path / "ILSVRC2012_img_val.tar").write_bytes(content)
    md5 = hashlib.md5(content, usedforsecurity=False).hexdigest()
    with pytest.raises(DataError, match=r"ILSVRC2012_img_val\.tar cannot be read as a tar archive"):
        find(tmp_path, ImageNetReader(val_archive=Archive("ILSVRC2012_img_val.tar", md5)))


def test_hostile_names_and_links_in_the_archive_are_ignored(archived, members, find, jpeg, tmp_path):
    root = tmp_path / "deep" / "root"
    names = ["../ILSVRC2012_val_00000020.JPEG", f"{tmp_path}/ILSVRC2012_val_00000021.JPEG", "../../evil.sh"]
    names += ["n01440764/ILSVRC2012_val_00000022.JPEG", "ILSVRC2012_val_00099999.JPEG", "ILSVRC2012_val_00000023/.."]
    reader = archived(root, [*members, *((name, jpeg(1)) for name in names)])
    found = find(root, reader)
    assert len(found.images) == COUNT
    assert sorted(path.name for path in tmp_path.rglob("*") if path.is_file()) == sorted(
        ["ILSVRC2012_img_val.tar", *dict(members)]
    )
    assert any("6 entries" in sentence and "ignored" in sentence for sentence in found.assumptions)


def test_a_link_named_as_an_image_is_not_followed(find, jpeg, validation_name, tmp_path):
    path = tmp_path / "ILSVRC2012_img_val.tar"
    (tmp_path / "secret").write_bytes(b"secret")
    with tarfile.open(path, "w") as tar:
        link = tarfile.TarInfo(validation_name(2))
        link.type, link.linkname = tarfile.SYMTYPE, str(tmp_path / "secret")
        tar.addfile(link)
        whole = tarfile.TarInfo(f"./{validation_name(1)}")
        whole.size = len(jpeg(1))
        tar.addfile(whole, io.BytesIO(jpeg(1)))
    md5 = hashlib.md5(path.read_bytes(), usedforsecurity=False).hexdigest()
    found = find(tmp_path, ImageNetReader(val_archive=Archive(path.name, md5)))
    assert found.ids == ("ILSVRC2012_val_00000001",)


def test_a_full_disk_is_noticed_before_extracting(archived, members, find, tmp_path):
    reader = archived(tmp_path, members, free_bytes=lambda _: 1000)
    with pytest.raises(DataError, match=r"has 0\.0 GB free, and extracting takes") as refused:
        find(tmp_path, reader)
    assert "extract the archive elsewhere" in str(refused.value)
    assert images_in(tmp_path / "val") == {}


def test_what_is_extracted_already_needs_no_space(archived, members, find, tmp_path):
    find(tmp_path, archived(tmp_path, members))
    (tmp_path / "val" / MARKER).write_text("")
    assert len(find(tmp_path, archived(tmp_path, members, free_bytes=lambda _: 0)).images) == COUNT


@pytest.fixture
def read_only_folder():
    """A folder that this process may read and not write, also when it is root's process."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        yield folder
        folder.chmod(0o755)


def test_a_folder_that_cannot_be_written_is_said(archived, members, read_only_folder):
    archive, labels = archived(read_only_folder, members).val_archive, validation_labels()
    assert wnids()  # read before the process becomes nobody, who may not see this checkout
    read_only_folder.chmod(0o555)
    root = os.geteuid() == 0
    if root:
        os.seteuid(65534)
    try:
        with pytest.raises(DataError, match="make the folder writable, or extract it elsewhere"):
            extract(read_only_folder, archive, labels)
    finally:
        if root:
            os.seteuid(0)


@pytest.mark.parametrize("below", [".", "val", "other"])
def test_a_folder_that_is_closed_to_the_user_is_said(read_only_folder, find, below):
    closed = read_only_folder / below
    closed.mkdir(exist_ok=True)
    assert wnids()  # read before the process becomes nobody
    validation_labels()
    read_only_folder.chmod(0o755)
    closed.chmod(0o000)
    root = os.geteuid() == 0
    if root:
        os.seteuid(65534)
    try:
        with pytest.raises(DataError, match=f"the folder {closed} (is closed|cannot be listed)"):
            find(read_only_folder)
    finally:
        if root:
            os.seteuid(0)
        closed.chmod(0o755)


def devkit(root: Path, ids: np.ndarray) -> Archive:
    """A development kit with these class numbers of its own for the validation images."""
    text = "".join(f"{number}\n" for number in ids).encode()
    path = root / "ILSVRC2012_devkit_t12.tar.gz"
    with tarfile.open(path, "w:gz") as tar:
        info = tarfile.TarInfo("ILSVRC2012_devkit_t12/data/ILSVRC2012_validation_ground_truth.txt")
        info.size = len(text)
        tar.addfile(info, io.BytesIO(text))
    return Archive(path.name, hashlib.md5(path.read_bytes(), usedforsecurity=False).hexdigest())


def test_both_official_archives_agree_and_are_extracted(archived, members, find, tmp_path):
    archive = archived(tmp_path, members).val_archive
    own_numbers = np.random.default_rng(0).permutation(1000) + 1
    kit = devkit(tmp_path, own_numbers[validation_labels()])
    assert len(find(tmp_path, ImageNetReader(val_archive=archive, devkit_archive=kit)).images) == COUNT


def test_a_devkit_with_other_labels_is_refused(archived, members, find, tmp_path):
    archive = archived(tmp_path, members).val_archive
    other = validation_labels() + 1
    other[[0, 1]] = other[[1, 0]]
    with pytest.raises(DataError, match="other validation labels"):
        find(tmp_path, ImageNetReader(val_archive=archive, devkit_archive=devkit(tmp_path, other)))


def test_a_damaged_devkit_is_refused(archived, members, find, tmp_path):
    reader = archived(tmp_path, members)
    devkit(tmp_path, validation_labels() + 1)
    with pytest.raises(DataError, match=r"devkit_t12\.tar\.gz is damaged"):
        find(tmp_path, reader)


def test_the_archive_needs_the_table_or_torchvisions_meta_file(archived, members, find, without_table, tmp_path):
    reader = ImageNetReader(val_archive=archived(tmp_path, members).val_archive, label_table=without_table.label_table)
    with pytest.raises(DataError, match="not part of this installation"):
        find(tmp_path, reader)
    val_wnids = [wnids()[label] for label in validation_labels()]
    torch.save(({wnid: (wnid,) for wnid in wnids()}, val_wnids), tmp_path / "meta.bin")
    assert len(find(tmp_path, reader).images) == COUNT
