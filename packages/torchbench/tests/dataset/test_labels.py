import numpy as np
import pytest
from torchvision.models import ResNet18_Weights

from torchbench.dataset.labels import CLASSES_FILE, VALIDATION_LABELS_FILE, class_names, validation_labels, wnids
from torchbench.errors import DataError


def test_there_are_a_thousand_classes_in_the_order_of_their_ids():
    assert len(wnids()) == len(class_names()) == 1000
    assert list(wnids()) == sorted(set(wnids()))
    assert (wnids()[0], class_names()[0]) == ("n01440764", "tench, Tinca tinca")
    assert wnids()[999] == "n15075141"


def test_class_names_agree_with_those_that_torchvision_ships_with_its_weights():
    theirs = ResNet18_Weights.DEFAULT.meta["categories"]
    ours = [names.split(",")[0] for names in class_names()]
    different = {index for index, (a, b) in enumerate(zip(ours, theirs, strict=True)) if a != b}
    assert different <= {134, 639}, "the crane that is a bird, and the second maillot, have longer names there"


def test_the_table_has_fifty_images_of_each_class():
    labels = validation_labels()
    assert labels.shape == (50_000,)
    assert labels.dtype == np.int64
    assert (np.bincount(labels, minlength=1000) == 50).all()


@pytest.mark.parametrize(
    ("number", "wnid"),
    [
        (1, "n01751748"),
        (2, "n09193705"),
        (3, "n02105855"),
        (4, "n04263257"),
        (293, "n01440764"),
        (2138, "n01440764"),
        (3014, "n01440764"),
    ],
)
def test_images_whose_class_is_widely_printed_have_it(number, wnid):
    assert wnids()[validation_labels()[number - 1]] == wnid


def test_the_first_two_images_are_a_sea_snake_and_an_alp():
    assert validation_labels()[:2].tolist() == [65, 970]
    assert class_names()[65].startswith("sea snake")
    assert class_names()[970].startswith("alp")


def test_labels_are_in_a_file_of_their_own():
    assert VALIDATION_LABELS_FILE != CLASSES_FILE
    assert "n01751748" in CLASSES_FILE.read_text(encoding="utf-8")


def test_a_table_that_was_left_out_is_none(tmp_path):
    assert validation_labels(tmp_path / "none.npy") is None


def test_a_torn_table_is_an_error_that_names_it(tmp_path):
    torn = tmp_path / "torn.npy"
    torn.write_bytes(VALIDATION_LABELS_FILE.read_bytes()[:5000])
    with pytest.raises(DataError, match=r"torn\.npy"):
        validation_labels(torn)
