"""Files written for the predecessor run as they are; each in a process of its own, from its own folder."""

import importlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch
import torchvision

from torchbench.dataset.labels import wnids
from torchbench.errors import ArgumentError

CPU = torch.device("cpu")
FILES = Path(__file__).parent / "files"


def run_file(folder, **environment):
    kept = {name: value for name, value in os.environ.items() if not name.startswith("SOTABENCH_")}
    return subprocess.run(
        [sys.executable, "sotabench.py"],
        cwd=folder, env=kept | environment, capture_output=True, text=True, timeout=280, check=False,
    )  # fmt: skip


@pytest.fixture
def repository(tmp_path, photographs):
    """A checkout with six photographs where files look for ImageNet by default."""
    for path in sorted(photographs.glob("val/*/*"))[:6]:
        target = tmp_path / "repository/.data/vision/imagenet/val" / path.parent.name
        target.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, target)
    return tmp_path / "repository"


def test_the_documented_example_runs_unchanged(repository, tmp_path):
    name = torchvision.models.ResNeXt101_32X8D_Weights.IMAGENET1K_V1.url.rpartition("/")[2]
    weights = tmp_path / "torch/hub/checkpoints" / name
    weights.parent.mkdir(parents=True)
    torch.save(torchvision.models.resnext101_32x8d().state_dict(), weights)
    shutil.copy(FILES / "resnext101_sotabench.py", repository / "sotabench.py")
    done = run_file(
        repository,
        TORCH_HOME=str(tmp_path / "torch"),
        XDG_CACHE_HOME=str(tmp_path / "cache"),
        SOTABENCH_STORE_FILENAME="results.json",
    )
    assert done.returncode == 0, done.stderr
    (record,) = json.loads((repository / "results.json").read_text())
    assert (record["model"], record["arxiv_id"]) == ("ResNeXt-101-32x8d", "1611.05431")
    assert record["samples"] == 6
    assert record["model_facts"]["parameters"] == 88_791_336  # torchvision's table of ResNeXt101_32X8D_Weights
    assert set(record["results"]) == {"Top 1 Accuracy", "Top 5 Accuracy"}


def test_every_way_in_which_existing_files_call_it_counts_what_a_plain_loop_counts(repository, tmp_path):
    shutil.copy(FILES / "many_models_sotabench.py", repository / "sotabench.py")
    (tmp_path / "imagenet").symlink_to(repository / ".data/vision/imagenet")
    folders = sorted(path.name for path in (repository / ".data/vision/imagenet/val").iterdir())
    classes = [wnids().index(folder) for folder in folders]
    done = run_file(
        repository,
        HOME=str(tmp_path),
        XDG_CACHE_HOME=str(tmp_path / "cache"),
        SOTABENCH_STORE_FILENAME="results.json",
        CLASSES=" ".join(map(str, classes)),
    )
    assert done.returncode == 0, done.stderr
    assert "all 6\n" in done.stdout
    records = json.loads((repository / "results.json").read_text())
    assert [record["model"] for record in records] == ["A", "B", "C", "D", "E", None]
    assert [record["transform"]["plan"]["name"] for record in records] == ["as written"] * 2 + ["fast"] * 4
    assert records[2]["paper_results"] == {"Top 1 Accuracy": 0.813}


@pytest.mark.parametrize(
    ("module", "names"),
    [
        ("torchbench.image_classification", ["ImageNet"]),
        ("torchbench.utils", ["send_model_to_device", "default_data_to_device", "AverageMeter", "accuracy"]),
        ("torchbench.datasets.utils", ["download_file_from_google_drive", "download_url", "extract_archive"]),
        ("sotabenchapi.core", ["BenchmarkResult", "check_inputs"]),
        ("sotabenchapi.check", ["in_check_mode"]),
    ],
)
def test_names_that_existing_files_import_are_there(module, names):
    for name in names:
        assert callable(getattr(importlib.import_module(module), name))


def test_the_old_result_class_appends_its_record(environment, tmp_path):
    core, check = importlib.import_module("sotabenchapi.core"), importlib.import_module("sotabenchapi.check")
    environment(SOTABENCH_STORE_FILENAME=tmp_path / "results.json")
    assert not check.in_check_mode()
    core.BenchmarkResult(model="A", task="Image Classification", dataset="ImageNet", results={"Top 1 Accuracy": 0.5})
    core.BenchmarkResult("B", "Image Classification", "ImageNet", {"Top 1 Accuracy": 0.25})
    records = json.loads((tmp_path / "results.json").read_text())
    assert [(record["model"], record["results"]) for record in records] == [
        ("A", {"Top 1 Accuracy": 0.5}),
        ("B", {"Top 1 Accuracy": 0.25}),
    ]


def test_the_old_decorator_checks_parameters_without_running(environment):
    core, check = importlib.import_module("sotabenchapi.core"), importlib.import_module("sotabenchapi.check")

    class Mine:
        task = "Image Classification"
        dataset = torchvision.datasets.ImageNet

        @classmethod
        @core.check_inputs
        def benchmark(cls, model, data_root="default", device="cuda", paper_model_name=None):
            return model, data_root, device, paper_model_name

    assert Mine.benchmark("model", data_root="here") == ("model", "here", "cuda", None)
    environment(SOTABENCH_SERVER="true")
    assert Mine.benchmark("model", data_root="here", device="cpu") == ("model", "default", "cuda", None)
    environment(SOTABENCH_CHECK="params")
    assert check.in_check_mode()
    checked = Mine.benchmark("model", paper_model_name="Mine")
    assert (checked.model, checked.results) == ("Mine", {})


def test_old_accuracy_helper_counts_on_non_contiguous_tensors_too():
    accuracy = importlib.import_module("torchbench.utils").accuracy
    output = torch.tensor([[0.1, 0.9, 0.5], [0.7, 0.2, 0.7], [float("nan"), 0.0, 1.0]]).T.contiguous().T
    top1, top2 = accuracy(output, torch.tensor([1, 2, 2]), topk=(1, 2))
    assert (top1.item(), top2.item()) == pytest.approx((100 * 2 / 3, 100.0))


def test_old_average_meter_weighs_by_count():
    meter = importlib.import_module("torchbench.utils").AverageMeter()
    meter.update(1.0, n=3)
    meter.update(2.0)
    assert (meter.val, meter.sum, meter.count, meter.avg) == (2.0, 5.0, 4, 1.25)


def test_a_model_is_sent_to_the_device_that_is_there():
    send = importlib.import_module("torchbench.utils").send_model_to_device
    model = torch.nn.Linear(1, 1)
    assert send(model, num_gpu=1, device="cpu") == (model, torch.device("cpu"))
    without_to = object()
    assert send(without_to, device="cpu")[0] is without_to


@pytest.mark.parametrize(
    "found", ["object_detection", "semantic_segmentation", "image_generation", "language_modelling"]
)
def test_the_predecessors_other_benchmarks_say_that_they_are_not_here(found):
    for module in (f"torchbench.{found}", f"torchbench.{found}.utils"):
        with pytest.raises(
            ImportError, match=rf"^expected a benchmark of image classification, found torchbench\.{found}"
        ):
            importlib.import_module(module)


@pytest.mark.parametrize(
    "found",
    [
        "object_detection", "semantic_segmentation", "language_modelling", "language_modeling", "machine_translation",
        "natural_language_inference", "question_answering",
    ],
)  # fmt: skip
def test_the_predecessors_other_evaluators_say_that_they_are_not_here(found):
    for module in (f"sotabencheval.{found}", f"sotabencheval.{found}.inner"):
        with pytest.raises(ImportError, match=rf"found sotabencheval\.{found}, .* in an environment of its own"):
            importlib.import_module(module)


@pytest.mark.parametrize("name", ["ADE20K", "CamVid", "Cityscapes", "CocoDetection", "PASCALContext", "WikiText103"])
def test_the_predecessors_other_data_sets_say_that_they_are_not_here(name):
    datasets = importlib.import_module("torchbench.datasets")
    with pytest.raises(
        ImportError, match=rf"^expected a benchmark of image .*, found torchbench\.datasets\.{name}, which"
    ):
        getattr(datasets, name)
    assert not hasattr(datasets, "anything_else")


def test_a_copy_of_the_predecessors_evaluator_is_told_that_the_client_is_not_here():
    with pytest.raises(ImportError, match=r"found sotabenchapi\.client, .* import that of sotabencheval\.image_class"):
        importlib.import_module("sotabenchapi.client")


class Moved:
    def __init__(self):
        self.device = None

    def __call__(self, images):
        return images


class MovedInPlace(Moved):
    def to(self, device):
        self.device = device


class MovedByPosition(Moved):
    def to(self, where, /):
        self.device = where
        return self


class NotMoved(Moved):
    def to(self):
        return self


@pytest.mark.parametrize("kind", [MovedInPlace, MovedByPosition])
def test_a_model_of_any_kind_is_sent_to_a_device(kind):
    model = kind()
    assert importlib.import_module("torchbench.utils").send_model_to_device(model, device="cpu") == (model, CPU)
    assert model.device == CPU


def test_a_model_that_cannot_be_told_where_to_go_is_refused():
    with pytest.raises(ArgumentError, match=r"expected model\.to\(device\) .* NotMoved"):
        importlib.import_module("torchbench.utils").send_model_to_device(NotMoved(), device="cpu")


ODD = {"paper_arxiv_id": "", "paper_results": {"Top 1 Accuracy": 79.3}}


@pytest.mark.parametrize("evaluate", ["benchmark", "evaluator"])
def test_a_platform_that_lets_a_file_fetch_its_weights_goes_on_behind_a_call_that_is_odd(
    evaluate, linear_model, environment, capsys
):
    environment(SOTABENCH_SERVER="true", SOTABENCH_CHECK="params")
    if evaluate == "benchmark":
        importlib.import_module("torchbench.image_classification").ImageNet.benchmark(
            linear_model(), store_outputs=True, **ODD
        )
    else:
        importlib.import_module("sotabencheval.image_classification").ImageNetEvaluator(**ODD).save()
    assert "to be a fraction between 0 and 1, got 79.3; did you mean 0.793?" in capsys.readouterr().out
