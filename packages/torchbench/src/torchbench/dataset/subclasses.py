"""Which of ImageNet's 1,000 classes ImageNet-A and ImageNet-R have images of, 200 each.

The table says the same as the authors' code (github.com/hendrycks/natural-adv-examples and hendrycks/imagenet-r, both
eval.py) and as timm's lists (github.com/huggingface/pytorch-image-models, timm/data/_info).
"""

import csv
from functools import cache

from torchbench.dataset.labels import TABLES, class_of_wnid

SUBCLASSES_FILE = TABLES / "imagenet_a_and_r_classes.csv"


@cache
def subclasses(name: str) -> tuple[int, ...]:
    """The class indices of "ImageNet-A" or "ImageNet-R", in order."""
    with SUBCLASSES_FILE.open(encoding="utf-8", newline="") as file:
        return tuple(sorted(class_of_wnid()[row["wnid"]] for row in csv.DictReader(file) if row["dataset"] == name))
