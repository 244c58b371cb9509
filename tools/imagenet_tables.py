"""Write the package's ImageNet tables from two CSV files of facts, or show that they still say the same.

    python tools/imagenet_tables.py classes.csv labels.csv [--check]

classes.csv has the columns class_index, wnid, names; labels.csv the columns image_number, class_index.
"""

import argparse
import csv
import sys
from pathlib import Path

import numpy as np

from torchbench.dataset import labels


def read_classes(path: Path) -> list[tuple[str, str]]:
    """Wnid and names of every class, in class order."""
    with path.open(encoding="utf-8", newline="") as file:
        rows = sorted(csv.DictReader(file), key=lambda row: int(row["class_index"]))
    if [int(row["class_index"]) for row in rows] != list(range(1000)):
        sys.exit(f"{path}: expected the class indices 0 ... 999, each once")
    return [(row["wnid"], row["names"]) for row in rows]


def read_labels(path: Path) -> np.ndarray:
    """The class of every validation image, (50000,) int16, in image order."""
    with path.open(encoding="utf-8", newline="") as file:
        rows = sorted((int(row["image_number"]), int(row["class_index"])) for row in csv.DictReader(file))
    if [number for number, _ in rows] != list(range(1, 50_001)):
        sys.exit(f"{path}: expected the image numbers 1 ... 50000, each once")
    table = np.array([label for _, label in rows], dtype=np.int16)
    if not (np.bincount(table, minlength=1000) == 50).all():
        sys.exit(f"{path}: expected 50 images of each of 1,000 classes")
    return table


def write(classes: list[tuple[str, str]], table: np.ndarray) -> None:
    """Write both tables into the package."""
    with labels.CLASSES_FILE.open("w", encoding="utf-8", newline="") as file:
        rows = csv.writer(file, lineterminator="\n")
        rows.writerow(("wnid", "names"))
        rows.writerows(classes)
    np.save(labels.VALIDATION_LABELS_FILE, table)


def same(classes: list[tuple[str, str]], table: np.ndarray) -> bool:
    """Whether the package says what the two files say."""
    ours = labels.validation_labels()
    return (
        list(zip(labels.wnids(), labels.class_names(), strict=True)) == classes
        and ours is not None
        and np.array_equal(ours, table)
    )


def main() -> None:
    """Write or check, and say which."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("classes", type=Path)
    parser.add_argument("labels", type=Path)
    parser.add_argument("--check", action="store_true")
    arguments = parser.parse_args()
    classes, table = read_classes(arguments.classes), read_labels(arguments.labels)
    if not arguments.check:
        write(classes, table)
    if not same(classes, table):
        sys.exit("the package's tables differ from these files")
    print("the package's tables say what these files say: 1,000 classes, 50 validation images of each")


if __name__ == "__main__":
    main()
