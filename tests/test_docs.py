"""The pages say what the software does: every key of a real record, every variable, the code that is shown."""

import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torchvision.transforms import CenterCrop, Compose, Lambda, Resize, ToTensor

from benchrecord import read_records
from torchbench.image_classification import ImageNet

ROOT = Path(__file__).resolve().parent.parent
DOCS = ROOT / "docs"
WNIDS = ("n01440764", "n01443537", "n01484850")


def page(name):
    return (DOCS / f"{name}.md").read_text(encoding="utf-8")


def rows(text):
    """First cell of every row of a page's tables that begins with code, and the whole row."""
    return {name: row for row in text.splitlines() for name in re.findall(r"^\| `([^`]+)` \|", row)}


def leaves(record, prefix=""):
    """Dotted names of all values of a record; objects whose keys are metrics are values."""
    for name, value in record.items():
        metrics = name in {"results", "correct", "intervals", "paper", "paper_results"} and not prefix
        if isinstance(value, dict) and not metrics:
            yield from leaves(value, f"{prefix}{name}.")
        else:
            yield prefix + name


@pytest.fixture(scope="module")
def evaluated(tmp_path_factory):
    """A folder with the images, the records and the predictions of two real runs: a fast plan, and one as written."""
    folder = tmp_path_factory.mktemp("evaluated")
    noise = np.random.default_rng(seed=0)
    for wnid in WNIDS:
        (folder / "imagenet" / "val" / wnid).mkdir(parents=True)
        for copy in range(2):
            pixels = noise.integers(0, 256, (48, 64, 3), np.uint8)
            Image.fromarray(pixels).save(folder / "imagenet" / "val" / wnid / f"{wnid}_{copy}.JPEG")
    settings = {"SOTABENCH_STORE_FILENAME": str(folder / "results.json"), "XDG_CACHE_HOME": str(folder / "cache")}
    with pytest.MonkeyPatch.context() as environment:
        for name in [name for name in os.environ if name.startswith("SOTABENCH_")]:
            environment.delenv(name)
        for name, value in settings.items():
            environment.setenv(name, value)
        model = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(3 * 32 * 32, 1000))
        for last in ([], [Lambda(lambda image: image)]):
            ImageNet.benchmark(
                model,
                input_transform=Compose([Resize(32), CenterCrop(32), ToTensor(), *last]),
                target_transform=lambda label: 999 - label,
                data_root=folder / "imagenet",
                paper_results={"Top 1 Accuracy": 0.5},
                num_workers=0,
            )
    return folder


def test_every_key_of_a_real_record_is_documented(evaluated):
    documented = rows(page("record"))
    for record in read_records(evaluated / "results.json"):
        assert [name for name in leaves(record) if name not in documented] == []


def test_every_documented_key_is_in_a_real_record_unless_the_page_says_when(evaluated):
    keys_of_records = page("record").partition("## The predictions file")[0]
    unconditional = [name for name, row in rows(keys_of_records).items() if "only" not in row]
    for record in read_records(evaluated / "results.json"):
        assert [name for name in unconditional if name not in set(leaves(record))] == []


def test_every_array_of_a_real_predictions_file_is_documented(evaluated):
    (record, _) = read_records(evaluated / "results.json")
    documented = set(rows(page("record").partition("## The predictions file")[2]))
    with np.load(evaluated / record["predictions"]["name"], allow_pickle=False) as arrays:
        assert set(arrays) == documented


def test_the_lines_that_count_again_give_the_numbers_of_the_record(evaluated):
    code = re.search(r"<!-- tested: count again -->\n```python\n(.*?)```", page("record"), re.DOTALL)[1]
    done = subprocess.run([sys.executable, "-c", code], cwd=evaluated, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    record = read_records(evaluated / "results.json")[0]
    assert done.stdout.startswith(f"{record['correct']} {record['results']} ")


def test_the_lines_that_take_the_fingerprint_give_that_of_the_record(evaluated):
    code = re.search(r"```python\n(import hashlib.*?)```", page("data-layouts"), re.DOTALL)[1]
    code = code.replace("/data/imagenet", "imagenet")
    done = subprocess.run([sys.executable, "-c", code], cwd=evaluated, capture_output=True, text=True, check=False)
    assert done.stdout.strip() == read_records(evaluated / "results.json")[0]["dataset"]["fingerprint"]


def test_every_environment_variable_has_a_row_on_its_page():
    settings = (ROOT / "packages/torchbench/src/torchbench/settings.py").read_text(encoding="utf-8")
    variables = {word for word in re.findall(r'"([A-Z_]+)"', settings) if "_" in word}
    assert len(variables) >= 7
    assert variables == set(rows(page("environment")))


def test_every_argument_of_benchmark_has_its_section():
    arguments = list(ImageNet.benchmark.__annotations__)[:-1]
    assert arguments == re.findall(r"^### (\w+)$", page("imagenet"), re.MULTILINE)


def test_every_python_example_is_python():
    for path in DOCS.glob("*.md"):
        for code in re.findall(r"```python\n(.*?)```", path.read_text(encoding="utf-8"), re.DOTALL):
            compile(code, path.name, "exec")
