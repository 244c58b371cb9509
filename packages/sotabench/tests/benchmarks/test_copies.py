"""The site's own copy of a data set: what builds see, and that it is made whole or not at all."""

import hashlib
import json
import os
import stat
import subprocess
from types import SimpleNamespace

import numpy as np
import pytest
from django.conf import settings
from made_up_sets import say_nothing, write_set

from sotabench.server.benchmarks.base import base_python, torchbench
from sotabench.server.benchmarks.copies import add_copy, tree_of
from sotabench.server.benchmarks.labels import labels_of
from sotabench.server.benchmarks.models import Benchmark
from sotabench.server.benchmarks.numbers import images_of, numbers_of
from sotabench.server.benchmarks.prepared import Geometry, prepare
from sotabench.server.benchmarks.scoring import score_call
from sotabench.server.benchmarks.services import add_known_benchmarks, benchmark_of
from sotabench.server.benchmarks.trees import remove_tree
from sotabench.server.errors import Conflict, Invalid

pytestmark = pytest.mark.django_db

SEALED_RUN = """
import sys, torch, torchvision
from torchbench.image_classification import ImageNet
class Colours(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.matrix = torch.nn.Parameter(torch.randn(192, 1000, generator=torch.Generator().manual_seed(0)))
        self.pool = torch.nn.AdaptiveAvgPool2d(8)
    def forward(self, images):
        return self.pool(images).flatten(1).mm(self.matrix)
ImageNet.benchmark(Colours(), paper_model_name="Colours", data_root=sys.argv[1], num_workers=0)
"""


@pytest.fixture(scope="module")
def thousand(django_db_setup, django_db_blocker, tmp_path_factory):
    """A copy of 1,200 images of all thousand classes, and what it was made from."""
    source = write_set(tmp_path_factory.mktemp("data"), 1200, 1000)
    with django_db_blocker.unblock():
        add_known_benchmarks()
        copy = add_copy("imagenet", source, geometries=(), tell=say_nothing)
        yield SimpleNamespace(copy=copy, source=source, tree=tree_of(copy))
        benchmark = copy.benchmark
        copy.delete()
        benchmark.delete()
        Benchmark.objects.all().delete()
        remove_tree(settings.DATA / "copies")


def in_base(code, *words, **environment):
    run = subprocess.run(
        [base_python(), "-c", code, *map(str, words)],
        capture_output=True, text=True, check=False, env=os.environ | environment,
    )  # fmt: skip
    assert run.returncode == 0, run.stderr
    return run.stdout


def test_copy_has_the_policys_names_modes_and_one_time(thousand):
    files = sorted(thousand.tree.glob("val/*/*"))
    assert sorted(file.name for file in files) == [f"ILSVRC2012_val_{at:08d}.JPEG" for at in range(1, 1201)]
    everything = [thousand.tree, *thousand.tree.rglob("*")]
    assert {(path.is_dir(), stat.S_IMODE(path.stat().st_mode)) for path in everything} == {
        (True, 0o555),
        (False, 0o444),
    }
    assert len({path.stat().st_mtime_ns for path in everything}) == 1
    assert {path.stat().st_nlink for path in files} == {1}


def test_copy_holds_the_very_bytes_under_the_numbers_that_the_site_keeps(thousand):
    lying = {path.stem: hashlib.sha256(path.read_bytes()).hexdigest() for path in thousand.tree.glob("val/*/*")}
    assert lying == {image.seen: image.sha256 for image in images_of(thousand.copy)}
    came = {path.stem: hashlib.sha256(path.read_bytes()).hexdigest() for path in thousand.source.glob("val/*/*")}
    assert came == {image.id: image.sha256 for image in images_of(thousand.copy)}


def test_order_on_the_disk_tells_neither_class_nor_number_nor_name(thousand):
    labels = labels_of(thousand.copy.benchmark)
    true = numbers_of(thousand.copy)
    files = {path.stem: path for path in thousand.tree.glob("val/*/*")}
    seen = sorted(files)
    facts = {
        "class": [labels[true[name]] for name in seen],
        "true name": [int(true[name].rpartition("-")[2]) for name in seen],
        "number": list(range(len(seen))),
    }
    orders = {
        "inode": [files[name].stat().st_ino for name in seen],
        "changed": [files[name].stat().st_ctime_ns for name in seen],
        "number": list(range(len(seen))),
        "folder": [files[name].parent.name for name in seen],
    }
    for order, values in orders.items():
        for fact, others in facts.items():
            if order != fact:
                found = correlation(values, others)
                print(f"{order} beside {fact}: rank correlation {found:+.3f}")
                assert abs(found) < 5.5 / len(seen) ** 0.5, (order, fact)  # by chance once in twenty million times


def correlation(values, others):
    ranks = [np.unique(each, return_inverse=True)[1] for each in (values, others)]
    return float(np.corrcoef(*ranks)[0, 1])


def test_folders_agree_with_classes_no_more_than_by_chance(thousand):
    classes = in_base("from torchbench.dataset.labels import wnids; print(*wnids())").split()
    labels, true = labels_of(thousand.copy.benchmark), numbers_of(thousand.copy)
    right = sum(path.parent.name == classes[labels[true[path.stem]]] for path in thousand.tree.glob("val/*/*"))
    print(f"{right} of 1,200 images lie in the folder of their class; 1.2 are expected by chance")
    assert right < 12


def test_torchvision_and_torchbench_read_it(thousand):
    code = """
import sys, torchvision
data = torchvision.datasets.ImageNet(sys.argv[1], split="val")
plain = torchvision.datasets.ImageFolder(sys.argv[1] + "/val")
print(len(data), len(data.wnids), len(plain.classes), data.classes[0][0])
"""
    assert in_base(code, thousand.tree).split() == ["1200", "1000", "1000", "tench"]
    described = torchbench("data", "describe", thousand.tree).decode()
    assert "1,200 images" in described
    assert (thousand.tree / "files-read.npz").is_file()
    assert f"fingerprint {thousand.copy.fingerprint}" in described
    assert "decoys" in described


def test_part_of_the_set_is_a_listed_benchmark_to_which_reported_results_go_too(thousand):
    benchmark = thousand.copy.benchmark
    assert str(benchmark) == "Image Classification on ImageNet sample (1200)"
    assert (benchmark.is_listed, benchmark.size, benchmark.fingerprint) == (True, 1200, thousand.copy.fingerprint)
    facts = {"samples": 1200, "fingerprint": thousand.copy.fingerprint, "complete": False}
    assert benchmark_of({"task": "Image Classification", "dataset_name": "ImageNet", "dataset": facts}) == benchmark


def test_adding_again_changes_nothing_and_other_images_are_refused(thousand, tmp_path):
    before = thousand.tree.stat().st_ino
    again = add_copy("imagenet", thousand.source, geometries=(), tell=say_nothing)
    assert (again, tree_of(again).stat().st_ino) == (thousand.copy, before)
    with pytest.raises(Conflict, match="datasets remove imagenet"):
        add_copy("imagenet", write_set(tmp_path, 3, 3), geometries=(), tell=say_nothing)


def test_tree_that_was_lost_is_made_again_as_it_was(thousand):
    names = {path.relative_to(thousand.tree) for path in thousand.tree.glob("val/*/*")}
    remove_tree(thousand.tree)
    (settings.DATA / "copies" / ".coming-killed" / "val").mkdir(parents=True)
    again = add_copy("imagenet", thousand.source, geometries=(), tell=say_nothing)
    thousand.tree = tree_of(again)
    thousand.copy.refresh_from_db()
    assert {path.relative_to(thousand.tree) for path in thousand.tree.glob("val/*/*")} == names
    assert sorted(path.name for path in (settings.DATA / "copies").iterdir()) == [".lock", thousand.tree.name]


def test_sealed_run_on_the_copy_is_scored_as_an_open_run_on_the_images(thousand, a_build, tmp_path):
    shown = in_base(
        SEALED_RUN, thousand.tree, SOTABENCH_SEALED="1", SOTABENCH_STORE_FILENAME=str(tmp_path / "sealed.json")
    )
    assert "%" not in shown
    assert "scored by the platform" in shown
    in_base(SEALED_RUN, thousand.source, SOTABENCH_SEALED="0", SOTABENCH_STORE_FILENAME=str(tmp_path / "open.json"))
    sealed, opened = (json.loads((tmp_path / f"{name}.json").read_text())[0] for name in ("sealed", "open"))
    result = score_call(a_build(), sealed | {"environment": {}}, tmp_path / sealed["predictions"]["name"])
    figures = {figure.name: figure.value for figure in result.figures.filter(tier="verified")}
    assert figures == opened["results"]
    assert result.benchmark == thousand.copy.benchmark


def test_prepared_images_are_read_only_and_serve_a_sealed_run(thousand, tmp_path):
    folder = tmp_path / "prepared"
    prepare(thousand.tree, folder, [Geometry(256, 32, "bilinear")])
    assert {stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()} == {0o444}
    assert stat.S_IMODE(folder.stat().st_mode) == 0o555
    before = [(path.name, path.stat().st_mtime_ns) for path in folder.iterdir()]
    code = SEALED_RUN.replace(
        "num_workers=0",
        "num_workers=0, input_transform=torchvision.transforms.Compose(["
        "torchvision.transforms.Resize(256), torchvision.transforms.CenterCrop(int(sys.argv[2])), "
        "torchvision.transforms.ToTensor()])",
    )
    for crop, plan in (("32", "cached"), ("24", "fast")):
        records = tmp_path / f"{crop}.json"
        shown = in_base(
            code, thousand.tree, crop,
            SOTABENCH_SEALED="1", SOTABENCH_STORE_FILENAME=str(records), SOTABENCH_CACHE_DIR=str(folder),
        )  # fmt: skip
        assert json.loads(records.read_text())[0]["transform"]["plan"]["name"] == plan
        assert "cache" not in shown
    assert [(path.name, path.stat().st_mtime_ns) for path in folder.iterdir()] == before


@pytest.mark.parametrize("text", ["", "256", "256/224", "224/256/bilinear", "256/0/bicubic", "256/224/nearest"])
def test_geometry_that_means_nothing_is_refused(text):
    with pytest.raises(Invalid, match="RESIZE/CROP/FILTER"):
        Geometry.parse(text)
