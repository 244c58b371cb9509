"""Test sets that come as a folder of class folders, in the layouts that their authors' archives have."""

from dataclasses import replace

import pytest

from torchbench.dataset import ClassFolderReader, subclasses
from torchbench.dataset.labels import wnids
from torchbench.errors import BrokenImage, DataError, DataNotFound

A = ClassFolderReader("ImageNet-A", "7,500 images", 7_500, ("imagenet-a", "ImageNet-A"), subclasses("ImageNet-A"))
V2 = ClassFolderReader("ImageNet-V2", "matched-frequency", 10_000, ("imagenetv2-matched-frequency-format-val",))
STINGRAY, GOLDFINCH = wnids()[6], wnids()[11]


def test_index_folders_are_numbers_and_not_sorted_as_text(find, put, tmp_path):
    root = put(tmp_path / V2.folders[0], "10/a.jpeg", "2/b.jpeg", "999/c.jpeg", "100/d.jpeg")
    found = find(root, V2)
    assert found.labels.tolist() == [2, 10, 100, 999]
    assert found.ids == ("b", "a", "d", "c")
    assert "folders 0...999 are read as class indices" in found.assumptions[0]
    assert (found.name, found.version, found.size, found.complete) == (
        "ImageNet-V2",
        "matched-frequency",
        10_000,
        False,
    )


def test_names_that_each_class_has_make_ids_with_the_folder(find, put, tmp_path):
    found = find(put(tmp_path, f"{GOLDFINCH}/art_0.jpg", f"{STINGRAY}/art_0.jpg"), A)
    assert found.ids == (f"{STINGRAY}/art_0", f"{GOLDFINCH}/art_0")
    assert found.labels.tolist() == [6, 11]


def test_a_readme_beside_the_folders_is_no_word_worth(find, put, tmp_path):
    root = put(tmp_path, f"{STINGRAY}/0.02_stingray _ hammerhead_0.9.jpg")
    (root / "README.txt").write_text("about the set")
    assert find(root, A).assumptions == ("a subset: 1 of 7,500 images", "199 of 200 classes have no image")


def test_a_set_of_its_full_size_is_complete(find, put, tmp_path):
    root = put(tmp_path, f"{STINGRAY}/1.jpg", f"{GOLDFINCH}/2.jpg")
    found = find(root, replace(A, size=2))
    assert (found.complete, found.assumptions) == (True, ())


@pytest.mark.parametrize("data_root", ["imagenet", ".", "imagenet-a"])
def test_the_folder_is_found_in_data_root_beside_it_and_as_itself(find, put, tmp_path, data_root):
    put(tmp_path, f"imagenet/val/{STINGRAY}/ILSVRC2012_val_00000001.JPEG", f"imagenet-a/{STINGRAY}/1.jpg")
    found = find(tmp_path / data_root, A)
    assert (found.ids, found.layout) == (("1",), f"class folders in {tmp_path / 'imagenet-a'}")


def test_beside_a_data_set_only_folders_of_known_names_count(put, tmp_path):
    put(tmp_path, f"imagenet/{STINGRAY}/1.jpg", f"mine/{STINGRAY}/1.jpg", "sketch/readme.txt")
    assert A.beside(tmp_path / "imagenet") is None
    put(tmp_path, f"ImageNet-A/{STINGRAY}/1.jpg")
    assert A.beside(tmp_path / "imagenet") == tmp_path / "ImageNet-A"
    put(tmp_path, f"imagenet/imagenet-a/{STINGRAY}/1.jpg")
    assert A.beside(tmp_path / "imagenet") == tmp_path / "imagenet" / "imagenet-a"


def test_nothing_there_says_where_it_looked(find, tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataNotFound, match="no images of ImageNet-A") as error:
        find(tmp_path / "empty", A)
    for place in ("empty/imagenet-a", "empty/ImageNet-A", "empty,", "imagenet-a"):
        assert str(tmp_path / place) in str(error.value)


def test_classes_that_the_set_does_not_have_show_another_set(find, put, tmp_path):
    root = put(tmp_path, f"{STINGRAY}/1.jpg", f"{wnids()[0]}/2.jpg")
    with pytest.raises(DataError, match=f"1 classes that ImageNet-A does not have, for example {wnids()[0]}"):
        find(root, A)


@pytest.mark.parametrize("name", ["ILSVRC2012_val_00000001.JPEG", "n01498041_10026.JPEG"])
def test_images_of_imagenet_itself_are_refused(find, put, tmp_path, name):
    with pytest.raises(DataError, match="images of ImageNet itself, not of ImageNet-A"):
        find(put(tmp_path, f"{STINGRAY}/{name}"), A)


def test_more_images_than_the_set_has_are_refused(find, put, tmp_path):
    root = put(tmp_path, f"{STINGRAY}/1.jpg", f"{STINGRAY}/2.jpg")
    with pytest.raises(DataError, match="holds 2 images, and ImageNet-A has 1"):
        find(root, replace(A, size=1))


def test_broken_files_are_named(find, put, tmp_path):
    put(tmp_path, f"{STINGRAY}/1.jpg")
    put(tmp_path, f"{STINGRAY}/half.jpg", content=b"\xff\xd8\xff\xe0 half")
    with pytest.raises(BrokenImage, match=r"half\.jpg"):
        find(tmp_path, A)
