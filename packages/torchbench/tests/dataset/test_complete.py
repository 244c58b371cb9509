"""All 50,000, and nearly all of them: links to one tiny photograph."""

import os
import shutil

import pytest

from torchbench.dataset import ImageNetReader
from torchbench.dataset.labels import validation_labels, wnids


@pytest.fixture(scope="module")
def all_of_them(tmp_path_factory):
    """val/<wnid>/ with 50 images each, under the names of the official archive."""
    root = tmp_path_factory.mktemp("complete")
    source = root / "source"
    source.write_bytes(b"\xff\xd8\xff\xe0 the two ends of a photograph \xff\xd9")
    os.utime(source, (1e9, 1e9))
    for wnid in wnids():
        (root / "val" / wnid).mkdir(parents=True)
    for number, label in enumerate(validation_labels(), start=1):
        os.link(source, f"{root}/val/{wnids()[label]}/ILSVRC2012_val_{number:08d}.JPEG")
    yield root
    shutil.rmtree(root)


def test_the_whole_set_is_complete_and_a_copy_that_stopped_is_not(all_of_them, tmp_path):
    found = ImageNetReader().find(all_of_them, remember=tmp_path)
    assert (found.complete, len(found.images), found.assumptions) == (True, 50_000, ())
    assert found.labels.tolist() == sorted(validation_labels().tolist())
    assert len(set(found.ids)) == 50_000

    link = next((all_of_them / "val" / wnids()[0]).iterdir())
    link.write_bytes(link.read_bytes().swapcase())  # all of them: they are one file
    os.utime(link, (1e9, 1e9))
    assert ImageNetReader().find(all_of_them, remember=tmp_path).fingerprint == found.fingerprint, (
        "nothing is read again"
    )

    for wnid in wnids()[990:]:
        for path in sorted((all_of_them / "val" / wnid).iterdir())[20:]:
            path.unlink()
    stopped = ImageNetReader().find(all_of_them, remember=tmp_path)
    assert (stopped.complete, len(stopped.images)) == (False, 49_700)
    subset, missing = stopped.assumptions
    assert subset == "a subset: 49,700 of 50,000 images"
    assert missing.startswith(f"300 images of 10 classes are missing, for example of {wnids()[990]} (20 of 50)")
    assert "was a copy interrupted?" in missing
