"""What is said to somebody whose data is not there, or not quite."""

import os
from pathlib import Path

import pytest

from torchbench.errors import BrokenImage, DataNotFound


@pytest.fixture
def refusal(find):
    def message(root) -> str:
        with pytest.raises(DataNotFound) as error:
            find(root)
        return str(error.value)

    return message


def test_a_folder_that_does_not_exist_is_named_with_what_is_beside_it(refusal, put, tmp_path):
    put(tmp_path, "imagnet/val/a.txt", content=b"")
    message = refusal(tmp_path / "imagenet" / "val")
    assert f"{tmp_path / 'imagenet' / 'val'} does not exist" in message
    assert f"{tmp_path} holds imagnet/" in message
    assert "https://image-net.org" in message


def test_an_empty_folder_gets_the_list_of_layouts(refusal, tmp_path):
    message = refusal(tmp_path)
    for words in ("the folder is empty", "ILSVRC2012_img_val.tar", "CLS-LOC", "val/0/", "n01440764", "meta.bin"):
        assert words in message


def test_what_was_found_is_named(refusal, put, tmp_path):
    message = refusal(put(tmp_path, "notes.txt", "photos/readme.md", content=b""))
    assert "found there: notes.txt, photos/" in message


def test_a_file_as_data_root_is_not_a_folder(refusal, put, tmp_path):
    assert "is a file" in refusal(put(tmp_path, "ILSVRC2012_img_val.tar", content=b"") / "ILSVRC2012_img_val.tar")


def test_the_training_folder_is_recognised_by_its_name(refusal, put, tmp_path):
    message = refusal(put(tmp_path, "train/n01440764/n01440764_10026.JPEG") / "train")
    assert f"is the training set, and the validation set is evaluated; give the folder above it, {tmp_path}" in message


def test_only_a_training_folder_is_said(refusal, put, tmp_path):
    assert "train/ is there and val/ is not" in refusal(put(tmp_path, "train/n01440764/n01440764_10026.JPEG"))


def test_training_images_under_another_name_are_said_not_to_be_the_validation_set(put, find, tmp_path):
    test_set = find(put(tmp_path, *(f"n01440764/n01440764_{number}.JPEG" for number in range(51))))
    assert not test_set.complete
    assert any(
        "not the validation set: 51 images of class 0 (n01440764), where it has 50" in sentence
        for sentence in test_set.assumptions
    )


@pytest.mark.parametrize("val", ["", "val"])
def test_one_classes_folder_is_recognised(refusal, put, filed, tmp_path, val):
    put(tmp_path / val, filed(1))
    message = refusal((tmp_path / val / filed(1)).parent)
    assert "is the folder of one class" in message
    assert message.endswith(str(tmp_path))


def test_the_folder_that_was_meant_is_named(refusal, put, filed, tmp_path):
    put(tmp_path, f"datasets/imagenet/val/{filed(1)}", "datasets/coco/a.txt")
    assert f"{tmp_path / 'datasets' / 'imagenet'} would do: give that as data_root" in refusal(tmp_path / "datasets")


def test_the_folder_with_the_archive_is_named(refusal, put, tmp_path):
    put(tmp_path, "imagenet/ILSVRC2012_img_val.tar", content=b"")
    assert f"{tmp_path / 'imagenet'} would do" in refusal(tmp_path)


def test_images_whose_names_tell_no_class_are_said(refusal, put, tmp_path):
    assert "val/ holds 2 images whose names tell no class: cat.jpg, dog.jpg" in refusal(
        put(tmp_path, "val/cat.jpg", "val/dog.jpg")
    )


def test_class_folders_without_an_image_are_said(refusal, put, tmp_path):
    assert "val/ holds class folders, and not one image in them" in refusal(
        put(tmp_path, "val/n01440764/list.txt", content=b"")
    )


def test_a_broken_photograph_is_named_before_any_model_runs(put, find, filed, tmp_path):
    root = put(tmp_path, f"val/{filed(1)}", f"val/{filed(2)}")
    path = root / "val" / filed(2)
    path.write_bytes(path.read_bytes()[:300])
    with pytest.raises(BrokenImage, match=filed(2)):
        find(root)


def test_the_home_folder_may_be_written_as_a_tilde(put, find, filed, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    put(tmp_path / "data", filed(1))
    assert len(find(Path("~/data")).images) == 1


def test_a_relative_folder_works_after_the_working_folder_changes(put, find, filed, tmp_path, monkeypatch):
    put(tmp_path / "data", filed(1))
    monkeypatch.chdir(tmp_path)
    found = find(Path("data"))
    monkeypatch.chdir(os.sep)
    assert found.images[0].mode == "RGB"


def test_a_file_that_vanishes_after_the_check_is_named(put, find, filed, tmp_path):
    found = find(put(tmp_path, filed(1)))
    (tmp_path / filed(1)).unlink()
    with pytest.raises(BrokenImage, match="ILSVRC2012_val_00000001"):
        found.images[0]
