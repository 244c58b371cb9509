"""A platform's copy: class folders that say nothing about what the images show, and that say so."""

import json
import math
import os
import shutil

import numpy as np
import pytest
import torchvision

from benchrecord import read_predictions, read_records
from sotabencheval.image_classification import ImageNetEvaluator
from torchbench.__main__ import main
from torchbench.dataset import ImageNetReader
from torchbench.dataset.decoys import DECOYS_FILE
from torchbench.dataset.labels import wnids
from torchbench.errors import BrokenImage, DataError


@pytest.fixture
def copy(tmp_path, put, validation_name):
    """A whole copy of a thousand images, one in the folder of each class, numbered the other way round."""
    root = tmp_path / "copy"
    names = [f"val/{wnid}/{validation_name(1000 - place)}" for place, wnid in enumerate(wnids())]
    return put(root, *names)


def test_folders_that_contradict_the_table_are_refused_unless_they_are_decoys(copy, find):
    with pytest.raises(DataError, match="under another class than they show"):
        find(copy)
    assert main(["data", "finish", str(copy)]) == 0
    found = find(copy)
    assert len(found.ids) == 1000
    assert found.assumptions == (
        "the classes of these folders are decoys: no figure that comes from them means anything",
    )


def test_torchvision_reads_the_copy_without_its_archives(copy):
    main(["data", "finish", str(copy)])
    data = torchvision.datasets.ImageNet(copy, split="val")
    assert (len(data), len(data.classes), data.wnids[0]) == (1000, 1000, "n01440764")
    assert data.classes[0] == ("tench", "Tinca tinca")
    assert data[0][1] == 0


def test_metadata_say_of_the_images_what_the_folders_say(copy):
    main(["data", "finish", str(copy)])
    _, of_images = torchvision.datasets.imagenet.load_meta_file(str(copy))
    by_number = sorted((path.name, path.parent.name) for path in copy.glob("val/*/*"))
    assert of_images == [wnid for _, wnid in by_number]


def test_few_images_in_a_few_classes_are_read(tmp_path, put, find, validation_name):
    root = put(tmp_path, *(f"val/{wnids()[7 * place]}/{validation_name(place + 1)}" for place in range(20)))
    main(["data", "finish", str(root)])
    assert (root / DECOYS_FILE).read_text().startswith("the classes of these folders are decoys")
    assert len(find(root).ids) == 20
    assert len(torchvision.datasets.ImageFolder(root / "val")) == 20


def test_description_says_what_a_platform_needs_of_every_image(tmp_path, put, capsys, environment, jpeg):
    root = put(tmp_path / "data", "val/n01440764/b.JPEG", "val/n01443537/a.JPEG")
    assert main(["data", "describe", "--json", str(root)]) == 0
    facts = json.loads(capsys.readouterr().out)
    found = ImageNetReader().find(root, remember=None)
    assert (facts["fingerprint"], facts["complete"], facts["version"]) == (
        found.fingerprint,
        False,
        "ILSVRC2012 validation",
    )
    assert [image["file"] for image in facts["images"]] == ["n01440764/b.JPEG", "n01443537/a.JPEG"]
    assert [image["class"] for image in facts["images"]] == [0, 1]
    assert facts["folder"] == str(root / "val")
    assert facts["classes"][1] == "n01443537"
    assert len({image["sha256"] for image in facts["images"]}) == 2


def test_broken_image_is_named_and_nothing_is_described(tmp_path, put, capsys, environment):
    root = put(tmp_path / "data", "val/n01440764/b.JPEG", content=b"\xff\xd8\xff half")
    assert main(["data", "describe", "--json", str(root)]) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert "n01440764/b.JPEG" in err


def test_loop_of_ones_own_writes_its_predictions_on_a_sealed_copy(copy, environment, tmp_path, capsys):
    main(["data", "finish", str(copy)])
    environment(
        SOTABENCH_SERVER="true",
        SOTABENCH_SEALED=1,
        SOTABENCH_DATA_ROOT=copy,
        SOTABENCH_STORE_FILENAME=tmp_path / "records.json",
    )
    evaluator = ImageNetEvaluator(root="elsewhere", model_name="Net")
    images = torchvision.datasets.ImageNet(copy, split="val").imgs
    evaluator.add([path for path, _ in images], np.eye(1000, dtype=np.float32))
    assert all(math.isnan(value) for value in evaluator.get_results().values())
    evaluator.save()
    (record,) = read_records(tmp_path / "records.json")
    predictions = read_predictions(tmp_path / record["predictions"]["name"], sha256=record["predictions"]["sha256"])
    assert set(predictions.ids) == {path.stem for path in copy.glob("val/*/*")}
    assert (record["results"], record["dataset"]["sealed"]) == ({}, True)
    assert "%" not in capsys.readouterr().out


def test_unchanged_copy_is_not_read_again_by_who_may_only_read_it(copy, find):
    main(["data", "finish", str(copy)])
    before = find(copy)
    broken = min(copy.glob("val/*/*"))
    facts, content = broken.stat(), broken.read_bytes()
    broken.write_bytes(bytes(len(content)))  # the same size and inode
    os.utime(broken, ns=(facts.st_atime_ns, facts.st_mtime_ns))
    assert find(copy).fingerprint == before.fingerprint  # so it was not read
    os.utime(broken)
    with pytest.raises(BrokenImage, match=broken.name):
        find(copy)


def test_copy_that_was_copied_once_more_is_read_anew(copy, find, tmp_path):
    main(["data", "finish", str(copy)])
    shutil.copytree(copy, tmp_path / "elsewhere")
    assert find(tmp_path / "elsewhere").fingerprint == find(copy).fingerprint
