"""The table of ReaL labels, and the two lists of 200 classes."""

import hashlib
import json

import pytest

from torchbench.dataset import subclasses
from torchbench.dataset.labels import wnids
from torchbench.dataset.real_labels import real_labels, real_labels_of, write_real_labels
from torchbench.errors import DataError

REAL_JSON = "d83e9bff374c631aae8439eb064c7019acc56e1b3bc3f56b8380c2a710b0220b"
"""SHA-256 of the authors' real.json, which is what Python's json.dumps writes."""


def test_the_table_is_the_authors_file_to_the_last_byte():
    assert hashlib.sha256(json.dumps(real_labels()).encode()).hexdigest() == REAL_JSON


def test_as_many_images_have_labels_as_the_paper_says():
    table = real_labels()
    assert (len(table), sum(1 for labels in table if labels)) == (50_000, 46_837)
    assert table[:5] == ((), (970, 795), (230, 231), (809,), (516, 850))


def test_images_are_known_by_their_numbers_in_whatever_folder():
    ids = ["ILSVRC2012_val_00000002", "n01440764/ILSVRC2012_val_00000001", "ILSVRC2012_val_00000003_n02105855"]
    others = ["photograph_00000002", "n01440764_tench", "ILSVRC2012_val_2", "ILSVRC2012_val_00050001"]
    assert real_labels_of([*ids, *others]) == {ids[0]: (970, 795), ids[1]: (), ids[2]: (230, 231)}


def test_an_installation_without_the_table_knows_no_labels(tmp_path):
    assert real_labels(tmp_path / "left-out.npz") is None
    assert real_labels_of(["ILSVRC2012_val_00000002"], tmp_path / "left-out.npz") == {}


def test_a_written_table_reads_back(tmp_path):
    write_real_labels([[5, 3], [], [], [999]], tmp_path / "labels.npz")
    assert real_labels(tmp_path / "labels.npz") == ((5, 3), (), (), (999,))


@pytest.mark.parametrize("content", [b"", b"no archive", b"PK\x03\x04 half an archive"])
def test_a_damaged_table_is_an_error(tmp_path, content):
    (tmp_path / "labels.npz").write_bytes(content)
    with pytest.raises(DataError, match="cannot be read"):
        real_labels(tmp_path / "labels.npz")


@pytest.mark.parametrize(
    ("name", "digest", "first"),
    [
        ("ImageNet-A", "e81223a35add6e78f9afe6f215652c1926ebefe1d8efc26c6e923d7ac9143937", "n01498041"),
        ("ImageNet-R", "91e09d2ff0a002104bc0d37a892a7e75ffc2cc0db47b2b506047a3493b9116d2", "n01443537"),
    ],
)
def test_the_classes_are_those_of_timms_files(name, digest, first):
    """The digests are of timm/data/_info/imagenet_a_indices.txt and imagenet_r_indices.txt: a line a class."""
    classes = subclasses(name)
    assert len(set(classes)) == 200
    assert wnids()[classes[0]] == first
    assert hashlib.sha256("".join(f"{index}\n" for index in classes).encode()).hexdigest() == digest
