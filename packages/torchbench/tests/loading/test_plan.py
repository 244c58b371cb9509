import json

import numpy as np
import pytest
import torch
import torchvision
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from torch import nn
from torchvision import transforms as v1
from torchvision.transforms import InterpolationMode, functional, v2

from torchbench.errors import ArgumentError
from torchbench.images import ImageFiles
from torchbench.loading import LoadingOptions, explain, open_batches, read_transform
from torchbench.loading.geometry import Geometry
from torchbench.loading.pixels import FilePixels, place_image
from torchbench.loading.proof import prove_on_first
from torchbench.loading.recipe import Recipe, Unrecognised, read_recipe

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
NORMALIZE = v1.Normalize(MEAN, STD)
TIMM_TO_TENSOR = type("MaybeToTensor", (v1.ToTensor,), {"__module__": "timm.data.transforms"})
TIMM_TO_LEVELS = type("MaybePILToTensor", (v1.PILToTensor,), {"__module__": "timm.data.transforms"})


def usual(*first, normalize=NORMALIZE):
    return v1.Compose([*first, v1.ToTensor(), normalize])


KNOWN = {
    "the usual": usual(v1.Resize(72), v1.CenterCrop(64)),
    "bicubic by enum": usual(v1.Resize(72, InterpolationMode.BICUBIC), v1.CenterCrop(64)),
    "bicubic by Pillow's enum": usual(v1.Resize(72, Image.Resampling.BICUBIC), v1.CenterCrop(64)),
    "box by number": usual(v1.Resize(72, 4), v1.CenterCrop(64)),
    "hamming by name": v2.Compose([v2.Resize(72, "hamming"), v2.CenterCrop(64), v2.ToImage(), v2.ToDtype(torch.float)]),
    "lanczos without antialias": usual(v1.Resize(40, InterpolationMode.LANCZOS, antialias=False), v1.CenterCrop(32)),
    "one-element list": usual(v1.Resize([72]), v1.CenterCrop([64])),
    "pair, and a crop that is not square": usual(v1.Resize((70, 80)), v1.CenterCrop((64, 33))),
    "pair without crop": usual(v1.Resize((40, 56))),
    "crop without resize": usual(v1.CenterCrop((41, 60))),
    "crop larger than the resized image": usual(v1.Resize(30), v1.CenterCrop(51)),
    "max_size": usual(v1.Resize(60, max_size=75), v1.CenterCrop(64)),
    "max_size alone": v2.Compose([v2.Resize(None, max_size=70), v2.CenterCrop(64), v2.PILToTensor()]),
    "size of the image itself": usual(v1.Resize(64), v1.CenterCrop(64)),
    "levels": v1.Compose([v1.Resize(72), v1.CenterCrop(64), v1.PILToTensor()]),
    "no normalize": v1.Compose([v1.Resize(72), v1.CenterCrop(64), v1.ToTensor()]),
    "normalize inplace": usual(v1.Resize(72), v1.CenterCrop(64), normalize=v1.Normalize(list(MEAN), STD, inplace=True)),
    "normalize by tensors": usual(
        v1.Resize(72), v1.CenterCrop(64), normalize=v1.Normalize(torch.tensor(MEAN), torch.tensor(STD))
    ),
    "normalize by one value": usual(v1.Resize(72), v1.CenterCrop(64), normalize=v1.Normalize((0.5,), [0.5])),
    "normalize twice": v1.Compose([v1.Resize(72), v1.CenterCrop(64), v1.ToTensor(), NORMALIZE, NORMALIZE]),
    "convert": [v1.Resize(72), v1.CenterCrop(64), v1.PILToTensor(), v1.ConvertImageDtype(torch.float32), NORMALIZE],
    "v2": v2.Compose(
        [v2.Resize(72), v2.CenterCrop(64), v2.ToImage(), v2.ToDtype(torch.float32, scale=True), v2.Normalize(MEAN, STD)]
    ),
    "v2 to pure tensor": (v2.Resize(72, 3), v2.CenterCrop(64), v2.ToImage(), v2.ToPureTensor()),
    "sequential": nn.Sequential(v2.Resize(72), v2.CenterCrop(64), v2.PILToTensor(), v2.ConvertImageDtype()),
    "nested": [v1.Compose([v1.Resize(72), v1.CenterCrop(64)]), [v1.ToTensor(), NORMALIZE]],
    "weights": torchvision.models.MobileNet_V3_Large_Weights.IMAGENET1K_V2.transforms(crop_size=64, resize_size=72),
    "timm": v1.Compose([v1.Resize(72, InterpolationMode.BICUBIC), v1.CenterCrop(64), TIMM_TO_TENSOR(), NORMALIZE]),
    "timm without normalize": v1.Compose([v1.Resize(72), v1.CenterCrop(64), TIMM_TO_LEVELS()]),
}


class ResizeOfMine(v1.Resize):
    pass


def patched(step):
    original = step.forward
    step.forward = lambda image: original(image.transpose(Image.Transpose.FLIP_LEFT_RIGHT))
    return step


def hooked(step):
    step.register_forward_hook(lambda _module, _inputs, output: output + 1)
    return step


UNKNOWN = {
    "function": (lambda image: v1.ToTensor()(v1.CenterCrop(64)(image)), "function was found"),
    "subclass": (usual(ResizeOfMine(72), v1.CenterCrop(64)), "ResizeOfMine was found"),
    "patched": (usual(patched(v1.Resize(72)), v1.CenterCrop(64)), "Resize was found"),
    "hooked": (usual(v1.CenterCrop(64), normalize=hooked(v1.Normalize(MEAN, STD))), "Normalize was found"),
    "random": (usual(v1.RandomCrop(8), v1.Resize((64, 64))), "RandomCrop was found"),
    "resize of tensors": (v1.Compose([v1.ToTensor(), v1.Resize((64, 64)), NORMALIZE]), "Resize was found"),
    "crop before resize": (usual(v1.CenterCrop(5), v1.Resize((64, 64))), "Resize was found"),
    "nearest": (usual(v1.Resize(72, InterpolationMode.NEAREST), v1.CenterCrop(64)), "NEAREST has no fast path"),
    "half precision": ([v2.CenterCrop(64), v2.ToImage(), v2.ToDtype(torch.float16, scale=True)], "torch.float16"),
}


def by_hand(transform, image):
    for step in transform if isinstance(transform, list | tuple) else [transform]:
        image = by_hand(step, image) if isinstance(step, list) else step(image)
    return image


@pytest.mark.filterwarnings("ignore:Anti-alias option is always applied:UserWarning")
@pytest.mark.parametrize("name", KNOWN)
def test_known_transform_runs_fast_and_gives_the_same_bits(name, pictures, load):
    transform = KNOWN[name]
    assert read_transform(transform).name == "fast"
    expected = torch.stack([by_hand(transform, image).as_subclass(torch.Tensor) for image in pictures])
    for workers in (0, 2):
        found = load(pictures, transform, num_workers=workers)
        assert found.dtype == expected.dtype
        assert torch.equal(found, expected)


@pytest.mark.parametrize("name", UNKNOWN)
def test_any_other_transform_runs_as_written_and_the_plan_says_why(name):
    transform, reason = UNKNOWN[name]
    plan = read_transform(transform)
    assert plan.name == "as written"
    assert reason in plan.reason


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64, torch.int32, torch.int64, torch.int8])
def test_levels_in_another_type_run_as_written(pictures, load, dtype):
    transform = v2.Compose([v2.Resize(36), v2.CenterCrop(32), v2.PILToTensor(), v2.ToDtype(dtype)])
    plan = read_transform(transform).describe()
    assert plan["name"] == "as written"
    assert f"it gives values of {dtype}" in plan["reason"]
    assert torch.equal(load(pictures, transform), torch.stack([transform(image) for image in pictures]))


@pytest.mark.parametrize("sizes", [(256, 224), (280, 240), (300, 260), (342, 299), (384, 384), (480, 480)])
@pytest.mark.parametrize("filter_", [InterpolationMode.BILINEAR, InterpolationMode.BICUBIC])
def test_photographs_come_out_with_the_same_bits(photographs, load, sizes, filter_):
    images = ImageFiles(sorted(photographs.rglob("*.jp*g"))[:6])
    transform = usual(v1.Resize(sizes[0], filter_), v1.CenterCrop(sizes[1]))
    assert torch.equal(load(images, transform), torch.stack([transform(image) for image in images]))


def test_imagenet_photographs_come_out_with_the_same_bits(imagenet_sample, load):
    images = ImageFiles(sorted(imagenet_sample.glob("*.JPEG")))
    transform = usual(v1.Resize(256, InterpolationMode.BICUBIC), v1.CenterCrop(224))
    assert torch.equal(load(images, transform), torch.stack([transform(image) for image in images]))


sides = st.integers(1, 90)


@given(
    size=st.tuples(sides, sides),
    resize=st.one_of(st.none(), sides, st.tuples(sides, sides)),
    extra=st.one_of(st.none(), st.integers(1, 40)),
    crop=st.one_of(st.none(), st.tuples(sides, sides)),
)
def test_crop_lies_where_torchvision_puts_it(size, resize, extra, crop):
    longest = resize + extra if isinstance(resize, int) and extra is not None else None
    steps = [v1.PILToTensor()]
    if crop is not None:
        steps.insert(0, v1.CenterCrop(crop))
    if resize is not None:
        steps.insert(0, v1.Resize(resize, InterpolationMode.BOX, max_size=longest))
    image = Image.fromarray(np.random.default_rng(0).integers(0, 256, (size[1], size[0], 3), np.uint8))
    geometry = Geometry(resize, longest, crop)
    try:
        expected = v1.Compose(steps)(image)
    except ValueError:  # a side would vanish
        with pytest.raises(ArgumentError):
            geometry.place(*size)
        return
    found = np.empty((*expected.shape[1:], 3), np.uint8)
    place_image(image, Recipe(geometry, Image.Resampling.BOX, torch.empty(0)), found)
    assert np.array_equal(found, expected.permute(1, 2, 0).numpy())


def test_crop_offset_rounds_half_to_even():
    assert Geometry(crop=(224, 224)).place(229, 227).box == (2, 2, 224, 224)  # 2.5 and 1.5
    assert Geometry(256).place(500, 375).resized == (341, 256)  # int(341.33)


def test_torchvision_that_resizes_otherwise_is_not_replaced(monkeypatch):
    resize = functional.resize
    monkeypatch.setattr(functional, "resize", lambda image, *rest: resize(image.point(lambda level: level | 1), *rest))
    plan = read_transform(KNOWN["the usual"])
    assert plan.name == "as written"
    assert "differs" in plan.reason


def test_decoder_that_gives_other_pixels_is_not_used(pictures, tmp_path):
    transform = KNOWN["the usual"]
    recipe = read_recipe(transform)
    other = ImageFiles([pictures.paths[1]])
    with pytest.raises(Unrecognised, match="differs"):
        prove_on_first(recipe, transform, pictures, FilePixels(other.paths, recipe))


def test_transform_that_cannot_work_runs_as_written_to_say_so_itself(pictures, load):
    transform = usual(v1.CenterCrop(8), normalize=v1.Normalize(MEAN, (0.2, 0.0, 0.2)))
    assert "std evaluated to zero" in read_transform(transform).reason
    with pytest.raises(ArgumentError, match=f"ValueError on {pictures.paths[0]}: std evaluated to zero"):
        load(pictures, transform)


def test_plan_is_plain_json_for_the_record(pictures):
    options = LoadingOptions(batch_size=8, num_workers=0)
    for transform in (KNOWN["pair, and a crop that is not square"], UNKNOWN["function"][0]):
        with open_batches(pictures, transform, options) as batches:
            described = batches.plan.describe()
        assert json.loads(json.dumps(described)) == described
        assert "Pillow" in described["decoder"] or described["name"] == "as written"


def test_explain_prints_plan_and_reason(capsys):
    explain(KNOWN["weights"])
    printed = capsys.readouterr().out
    assert "fast" in printed
    assert "bilinear" in printed
    explain(UNKNOWN["random"][0])
    assert "RandomCrop" in capsys.readouterr().out
