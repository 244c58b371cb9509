"""The prepared cache and images that changed places."""

import numpy as np
import pytest
from torchvision import transforms as v1

from torchbench.image_classification import ImageNet

USUAL = v1.Compose([v1.Resize(36), v1.CenterCrop(32), v1.ToTensor()])


def swapped_folders(root):
    """Two class folders change places, all files keep their names."""
    second, third, aside = (root / "val" / name for name in ("n01443537", "n01484850", "aside"))
    second.rename(aside)
    third.rename(second)
    aside.rename(third)


def swapped_contents(root):
    """Two files of one flat folder change their contents."""
    second, third = sorted((root / "val").iterdir())[1:3]
    one, other = second.read_bytes(), third.read_bytes()
    second.write_bytes(other)
    third.write_bytes(one)


@pytest.mark.parametrize("swap", [swapped_folders, swapped_contents])
def test_images_that_changed_places_are_not_taken_from_the_cache(few_images, environment, tmp_path, linear_model, swap):
    for path in list(few_images.glob("val/*/*")):
        name = f"{int(path.stem[-2:]) % 3}.JPEG"  # 0.JPEG, 1.JPEG, 2.JPEG in every class
        flat = swap is swapped_contents
        path.rename(few_images / "val" / f"{path.parent.name}_{name}" if flat else path.with_name(name))
    for emptied in few_images.glob("val/*/"):
        if not any(emptied.iterdir()):
            emptied.rmdir()
    environment(SOTABENCH_CACHE_DIR=tmp_path / "prepared")
    model, asked = linear_model(), {"data_root": few_images, "input_transform": USUAL, "num_workers": 0}
    ImageNet.benchmark(model, **asked)
    assert ImageNet.benchmark(model, **asked).record["transform"]["plan"]["name"] == "cached"
    swap(few_images)
    cached = ImageNet.benchmark(model, **asked)
    environment(SOTABENCH_CACHE_DIR="")
    decoded = ImageNet.benchmark(model, **asked)
    assert cached.predictions.ids == decoded.predictions.ids
    assert np.array_equal(cached.predictions.classes, decoded.predictions.classes)
