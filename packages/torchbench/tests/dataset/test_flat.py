"""Layouts with all images in one folder."""

import pytest
import torch

from torchbench.dataset.labels import validation_labels, wnids
from torchbench.errors import DataError

KAGGLE = "ILSVRC/Data/CLS-LOC/val"


@pytest.fixture
def kaggle(put, validation_name, tmp_path):
    """Kaggle's download of three images, and its labels, wrong on purpose for the third."""
    rows = [
        "ImageId,PredictionString",
        "ILSVRC2012_val_00000001,n01751748 111 108 331 312 ",
        "ILSVRC2012_val_00000002,n09193705 3 4 5 6 ",
    ]
    put(tmp_path, *(f"{KAGGLE}/{validation_name(number)}" for number in (1, 2, 3)))
    (tmp_path / "LOC_val_solution.csv").write_text(
        "\n".join([*rows, "ILSVRC2012_val_00000003,n01440764 1 2 3 4 5 6 7 8 "])
    )
    return tmp_path


@pytest.mark.parametrize("folder", ["", "val/", "validation/"])
def test_numbered_images_get_their_labels_from_the_table(put, find, validation_name, tmp_path, folder):
    found = find(put(tmp_path, *(f"{folder}{validation_name(number)}" for number in (2, 1, 50_000))))
    assert found.labels.tolist() == [65, 970, 355]
    assert found.ids == ("ILSVRC2012_val_00000001", "ILSVRC2012_val_00000002", "ILSVRC2012_val_00050000")
    assert "labels by image number" in found.layout


def test_names_that_begin_with_an_id_carry_their_label(put, find, tmp_path):
    found = find(put(tmp_path, "n01440764_tench.JPEG", "n01443537_10026.JPEG", "n01484850.jpg"))
    assert found.labels.tolist() == [0, 1, 2]
    assert "WordNet ids in the file names" in found.layout


def test_names_of_training_images_are_remarked_on(put, find, tmp_path):
    found = find(put(tmp_path, "n01440764_10026.JPEG"))
    assert any("named like a training image" in sentence for sentence in found.assumptions)


def test_numbered_names_may_carry_the_id_behind_the_number(put, find, without_table, tmp_path):
    root = put(tmp_path, "val/ILSVRC2012_val_00000001_n01751748.JPEG", "val/ILSVRC2012_val_00000002_n09193705.JPEG")
    assert find(root).labels.tolist() == find(root, without_table).labels.tolist() == [65, 970]


def test_an_id_that_is_not_the_images_is_noticed(put, find, tmp_path):
    with pytest.raises(DataError, match="shows class 65"):
        find(put(tmp_path, "val/ILSVRC2012_val_00000001_n01440764.JPEG"))


def test_a_flat_folder_without_the_table_says_what_is_missing(put, find, validation_name, without_table, tmp_path):
    root = put(tmp_path, f"val/{validation_name(1)}")
    with pytest.raises(DataError, match="table of validation labels is not part of this installation"):
        find(root, without_table)


def test_torchvisions_meta_file_stands_in_for_the_table(put, find, validation_name, without_table, tmp_path):
    root = put(tmp_path, f"val/{validation_name(1)}", f"val/{validation_name(2)}")
    val_wnids = [wnids()[label] for label in validation_labels()]
    torch.save(({wnid: (wnid,) for wnid in wnids()}, val_wnids), root / "meta.bin")
    assert find(root, without_table).labels.tolist() == [65, 970]


def test_a_torn_meta_file_is_named(put, find, validation_name, without_table, tmp_path):
    root = put(tmp_path, f"val/{validation_name(1)}")
    (root / "meta.bin").write_bytes(b"PK\x03\x04 torn")
    with pytest.raises(DataError, match=r"meta\.bin cannot be read"):
        find(root, without_table)


def test_some_names_that_tell_nothing_are_an_error_with_examples(put, find, validation_name, tmp_path):
    with pytest.raises(DataError, match=r"1 of them tell no class: cat\.jpg"):
        find(put(tmp_path, f"val/{validation_name(1)}", "val/cat.jpg"))


def test_numbered_and_named_images_together_are_refused(put, find, validation_name, tmp_path):
    with pytest.raises(DataError, match="n01440764_10026"):
        find(put(tmp_path, f"val/{validation_name(1)}", "val/n01440764_10026.JPEG"))


@pytest.mark.parametrize("number", [0, 50_001])
def test_a_number_that_no_image_has_is_refused(put, find, validation_name, tmp_path, number):
    with pytest.raises(DataError, match=r"expected image numbers 1 \.\.\. 50,000"):
        find(put(tmp_path, f"val/{validation_name(number)}"))


@pytest.mark.parametrize("below", ["", "ILSVRC", "ILSVRC/Data", "ILSVRC/Data/CLS-LOC", KAGGLE])
def test_kaggles_download_is_read_from_any_of_its_levels(kaggle, find, below):
    found = find(kaggle / below)
    assert found.labels.tolist() == [65, 970, 0], "the file's labels, not the table's"
    assert found.layout == "Kaggle's folder (CLS-LOC/val/), labels from LOC_val_solution.csv"


def test_kaggles_download_without_its_labels_takes_the_table(kaggle, find):
    (kaggle / "LOC_val_solution.csv").unlink()
    found = find(kaggle)
    assert found.labels.tolist() == [65, 970, 230]
    assert found.layout == "Kaggle's folder (CLS-LOC/val/), labels by image number"


def test_kaggles_labels_work_without_the_table(kaggle, find, without_table):
    assert find(kaggle, without_table).labels.tolist() == [65, 970, 0]


def test_kaggles_images_sorted_into_classes_are_read_too(put, find, filed, tmp_path):
    found = find(put(tmp_path, f"{KAGGLE}/{filed(1)}"))
    assert found.labels.tolist() == [65]
    assert found.layout.startswith("Kaggle's folder, sorted into classes")


def test_images_that_kaggles_labels_do_not_name_are_named(kaggle, put, find, validation_name):
    put(kaggle, f"{KAGGLE}/{validation_name(4)}")
    with pytest.raises(DataError, match=r"1 of 4 images: ILSVRC2012_val_00000004\.JPEG"):
        find(kaggle)


def test_kaggles_labels_saved_by_a_spreadsheet_are_read(kaggle, find):
    labels = (kaggle / "LOC_val_solution.csv").read_text()
    (kaggle / "LOC_val_solution.csv").write_text(labels, encoding="utf-8-sig", newline="\r\n")
    assert find(kaggle).labels.tolist() == [65, 970, 0]


@pytest.mark.parametrize(
    "text", ["", "a,b\n1,2\n", "ImageId,PredictionString\nx\n", "ImageId,PredictionString\nx,n9 1\n"]
)
def test_labels_of_kaggle_in_another_form_are_refused(kaggle, find, text):
    (kaggle / "LOC_val_solution.csv").write_text(text)
    with pytest.raises(DataError, match=r"LOC_val_solution\.csv"):
        find(kaggle)
