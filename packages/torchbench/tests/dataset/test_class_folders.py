"""Layouts with a folder a class."""

import os

import pytest
import torch
import torchvision

from torchbench.dataset.labels import wnids
from torchbench.dataset.scan import IMAGE_ENDINGS
from torchbench.errors import DataError


@pytest.fixture
def a_thousand(tmp_path, jpeg):
    """val/<wnid>/ with one image each, and meta.bin as torchvision writes it."""
    source = tmp_path / "source"
    source.write_bytes(jpeg(1))
    root = tmp_path / "imagenet"
    for wnid in wnids():
        (root / "val" / wnid).mkdir(parents=True)
        os.link(source, root / "val" / wnid / f"{wnid}_photograph.JPEG")
    torch.save(({wnid: (wnid,) for wnid in wnids()}, [*wnids()] * 50), root / "meta.bin")
    return root


def test_a_folder_prepared_by_torchvision_reads_as_torchvision_reads_it(a_thousand, find):
    theirs = torchvision.datasets.ImageNet(a_thousand, split="val")
    ours = find(a_thousand)
    assert [str(path) for path in ours.images.paths] == [path for path, _ in theirs.samples]
    assert ours.labels.tolist() == theirs.targets
    assert ours.layout == "torchvision's folder (meta.bin, val/<wnid>/)"
    assert (ours.name, ours.version, ours.size) == ("ImageNet", "ILSVRC2012 validation", 50_000)


def test_no_devkit_is_needed_for_class_folders(put, find, filed, tmp_path):
    found = find(put(tmp_path, *(f"val/{filed(number)}" for number in (1, 2, 3))))
    assert found.labels.tolist() == [65, 230, 970]
    assert found.ids == ("ILSVRC2012_val_00000001", "ILSVRC2012_val_00000003", "ILSVRC2012_val_00000002")
    assert found.layout == "class folders (val/<wnid>/)"
    assert found.complete is False


def test_class_folders_may_lie_directly_at_data_root(put, find, filed, tmp_path):
    found = find(put(tmp_path, filed(1), filed(2)))
    assert found.labels.tolist() == [65, 970]
    assert "directly at data_root" in found.layout


def test_classes_come_by_index_and_files_by_name(put, find, tmp_path):
    names = ["n01443537/b.png", "n01443537/a.JPEG", "n01440764/z.jpg", "n01443537/B.jpg"]
    found = find(put(tmp_path, *(f"val/{name}" for name in names)))
    assert [path.name for path in found.images.paths] == ["z.jpg", "B.jpg", "a.JPEG", "b.png"]
    assert found.labels.tolist() == [0, 1, 1, 1]


def test_images_deeper_in_a_class_folder_are_read_in_torchvisions_order(put, find, tmp_path):
    names = ["n01440764/images/b.JPEG", "n01440764/c.JPEG", "n01440764/images/a.JPEG", "n01443537/a.JPEG"]
    root = put(tmp_path, *(f"val/{name}" for name in names))
    theirs = [path for path, _ in torchvision.datasets.ImageFolder(root / "val").samples]
    assert [str(path) for path in find(root).images.paths] == theirs


def test_folders_named_by_number_are_read_in_numeric_order_and_it_is_said(put, find, tmp_path):
    found = find(put(tmp_path, "val/10/a.JPEG", "val/9/b.JPEG", "val/100/c.JPEG"))
    assert found.labels.tolist() == [9, 10, 100]
    assert any("read as class indices" in sentence for sentence in found.assumptions)


def test_numbers_may_be_padded_with_zeros(put, find, tmp_path):
    assert find(put(tmp_path, "010/a.JPEG", "009/b.JPEG", "000/c.JPEG")).labels.tolist() == [0, 9, 10]


def test_empty_class_folders_are_counted_as_classes_without_images(put, find, filed, tmp_path):
    put(tmp_path, f"val/{filed(1)}")
    for wnid in wnids()[:20]:
        (tmp_path / "val" / wnid).mkdir()
    with pytest.raises(FileNotFoundError):  # what torchvision makes of it
        torchvision.datasets.ImageFolder(tmp_path / "val")
    found = find(tmp_path)
    assert found.labels.tolist() == [65]
    assert found.assumptions == ("a subset: 1 of 50,000 images", "999 of 1,000 classes have no image")


def test_what_systems_leave_behind_is_ignored_without_a_word(put, find, filed, tmp_path):
    root = put(tmp_path, f"val/{filed(1)}")
    inside = f"val/{filed(1)}".rpartition("/")[0]
    put(root, "val/.DS_Store", f"{inside}/._ILSVRC2012_val_00000001.JPEG", f"{inside}/Thumbs.db", content=b"junk")
    put(
        root, f"{inside}/@eaDir/ILSVRC2012_val_00000001.JPEG/SYNOPHOTO_THUMB_M.jpg", "val/@eaDir/a.jpg", content=b"junk"
    )
    put(root, ".hidden/a.jpg", "val/__MACOSX/a.jpg", content=b"junk")
    found = find(root)
    assert len(found.images) == 1
    assert not any("skipped" in sentence for sentence in found.assumptions)


def test_visible_files_that_are_no_images_are_counted(put, find, filed, tmp_path):
    root = put(tmp_path, f"val/{filed(1)}")
    put(root, "val/SHA256SUMS", "val/n01440764/README.txt", content=b"text")
    put(root, "meta.bin", content=b"known")
    assert any("2 files without an image's ending were skipped" in sentence for sentence in find(root).assumptions)


def test_endings_are_those_of_torchvision_in_any_case(put, find, tmp_path):
    assert {f".{ending}" for ending in IMAGE_ENDINGS} == set(torchvision.datasets.folder.IMG_EXTENSIONS)
    assert len(find(put(tmp_path, "val/0/a.JPEG", "val/0/b.jpg", "val/0/c.Jpeg", "val/0/d.PNG")).images) == 4


def test_linked_folders_and_files_are_followed(put, find, filed, tmp_path):
    put(tmp_path / "far", filed(1), "photograph")
    root = tmp_path / "root"
    (root / "val" / "n01440764").mkdir(parents=True)
    wnid = filed(1).partition("/")[0]
    (root / "val" / wnid).symlink_to(tmp_path / "far" / wnid)
    (root / "val" / "n01440764" / "tench.JPEG").symlink_to(tmp_path / "far" / "photograph")
    assert find(root).labels.tolist() == [0, 65]


def test_a_link_back_to_its_own_folder_ends(put, find, filed, tmp_path):
    root = put(tmp_path, f"val/{filed(1)}")
    folder = (root / "val" / filed(1)).parent
    (folder / "again").symlink_to(folder)
    assert len(find(root).images) == 1


def test_an_unknown_folder_with_images_is_named(put, find, filed, tmp_path):
    root = put(tmp_path, f"val/{filed(1)}", "val/n00004475/a.JPEG")
    with pytest.raises(DataError, match="none of ImageNet's 1,000 classes: n00004475"):
        find(root)


def test_an_unknown_folder_without_images_does_not_matter(put, find, filed, tmp_path):
    root = put(tmp_path, f"val/{filed(1)}")
    put(root, "val/logs/log.txt", content=b"text")
    assert len(find(root).images) == 1


def test_ids_and_numbers_among_each_other_are_refused(put, find, filed, tmp_path):
    with pytest.raises(DataError, match="7"):
        find(put(tmp_path, f"val/{filed(1)}", "val/7/a.JPEG"))


def test_loose_images_beside_class_folders_are_refused(put, find, filed, tmp_path):
    with pytest.raises(DataError, match=r"loose images, for example stray\.JPEG"):
        find(put(tmp_path, f"val/{filed(1)}", "val/stray.JPEG"))


def test_folders_counted_from_one_are_refused(put, find, tmp_path):
    with pytest.raises(DataError, match=r"1000 among them; expected 0\.\.\.999"):
        find(put(tmp_path, *(f"val/{number}/a.JPEG" for number in (1, 2, 1000))))


def test_two_folders_of_one_number_are_refused(put, find, tmp_path):
    with pytest.raises(DataError, match="01, 1"):
        find(put(tmp_path, "val/1/a.JPEG", "val/01/b.JPEG"))


def test_images_in_folders_of_other_classes_are_noticed(put, find, filed, validation_name, tmp_path):
    root = put(tmp_path, f"val/{filed(1)}", f"val/n01440764/{validation_name(2)}")
    with pytest.raises(DataError, match=r"1 of 2 .* n01440764/ILSVRC2012_val_00000002.JPEG .* shows class 970"):
        find(root)


def test_numbers_in_another_order_than_the_classes_are_noticed(put, find, validation_name, tmp_path):
    with pytest.raises(DataError, match="numbered in another order"):
        find(put(tmp_path, f"val/490/{validation_name(1)}"))


def test_ids_are_paths_where_stems_repeat(put, find, tmp_path):
    assert find(put(tmp_path, "val/0/a.JPEG", "val/1/a.JPEG")).ids == ("0/a", "1/a")


def test_ids_keep_the_ending_where_nothing_else_differs(put, find, tmp_path):
    assert find(put(tmp_path, "val/0/a.JPEG", "val/0/a.png")).ids == ("0/a.JPEG", "0/a.png")


def test_class_folders_need_no_table(put, find, filed, without_table, tmp_path):
    assert find(put(tmp_path, f"val/{filed(2)}"), without_table).labels.tolist() == [970]
