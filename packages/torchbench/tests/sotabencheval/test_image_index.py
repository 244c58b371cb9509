from pathlib import Path

import pytest

from sotabencheval.image_index import ImageIndex
from torchbench.errors import ArgumentError

STEMS = ("ILSVRC2012_val_00000293", "ILSVRC2012_val_00000007_n02108000", "photograph.v2", "n01440764_tench")


@pytest.mark.parametrize(
    ("name", "place"),
    [
        ("ILSVRC2012_val_00000293", 0),
        ("ILSVRC2012_val_00000293.JPEG", 0),
        ("val/n01440764/ILSVRC2012_val_00000293.JPEG", 0),
        (r"D:\imagenet\val\n01440764\ILSVRC2012_val_00000293.JPEG", 0),
        (Path("val/ILSVRC2012_val_00000293.png"), 0),
        (b"val/ILSVRC2012_val_00000293.JPEG", 0),
        ("ILSVRC2012_val_00000293_n01440764.JPEG", 0),
        ("ILSVRC2012_val_00000007", 1),
        ("photograph.v2", 2),
        ("a/photograph.v2.jpg", 2),
        ("n01440764_tench.JPEG", 3),
    ],
)
def test_an_image_is_found_by_every_name_it_goes_by(name, place):
    assert ImageIndex(STEMS).places([name]).tolist() == [place]


def test_where_file_names_repeat_the_folders_tell_images_apart():
    index = ImageIndex(("0/1", "1/1", "10/2"))
    assert index.places(["/data/val/1/1.JPEG", "val/0/1.png", "10/2"]).tolist() == [1, 0, 2]
    with pytest.raises(ArgumentError, match="got 2 of 3 that are none: '/data/val/11/1.JPEG', '1.JPEG'"):
        index.places(["/data/val/11/1.JPEG", "1.JPEG", "0/1"])


def test_a_name_of_no_image_is_shown_and_what_to_do():
    with pytest.raises(ArgumentError, match=r"such as 'ILSVRC2012_val_00000293', got 1 of 1 .*'cat.JPEG'; .*as root"):
        ImageIndex(STEMS).places(["cat.JPEG"])


def test_an_id_that_is_no_text_is_refused():
    with pytest.raises(ArgumentError, match="expected the ids of images as text, such as 'ILSVRC2012_val_00000293'"):
        ImageIndex(STEMS).places([293])
