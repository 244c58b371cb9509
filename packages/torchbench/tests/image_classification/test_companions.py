"""ImageNet's companions in their real layouts, against loops that know nothing of the library."""

import json
import os
import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image
from torchvision.transforms import CenterCrop, Compose, Resize, ToTensor

from benchrecord import read_predictions, read_records, score, score_multilabel, selected, validate_record
from torchbench.dataset import subclasses
from torchbench.dataset.labels import validation_labels, wnids
from torchbench.dataset.real_labels import real_labels
from torchbench.errors import ArgumentError, DataError, DataNotFound
from torchbench.image_classification import (
    CIFAR10,
    ImageNet,
    ImageNetA,
    ImageNetAControl,
    ImageNetReaL,
    ImageNetSketch,
    ImageNetV2,
    ImageNetV2TopImages,
)

TRANSFORM = Compose([Resize(32), CenterCrop(32), ToTensor()])
A, R = subclasses("ImageNet-A"), subclasses("ImageNet-R")
CONTROLS = {"ImageNet (200 classes of ImageNet-A)": A, "ImageNet (200 classes of ImageNet-R)": R}
MASKS = {"ImageNet-A": A, "ImageNet-R": R, **CONTROLS}
pytestmark = pytest.mark.usefixtures("environment")


def places():
    """Where each set's archive puts its images: name of the set, path, class."""
    for number in range(1, 81):
        yield "ImageNet", f"imagenet/val/ILSVRC2012_val_{number:08d}.JPEG", int(validation_labels()[number - 1])
    for label in (0, 1, 2, 10, 11, 100, 101, 999):
        yield "ImageNet-V2", f"imagenetv2-matched-frequency-format-val/{label}/{label * 7919:040x}.jpeg", label
    for label in (0, 3, 20):
        yield "ImageNet-V2 Top-Images", f"imagenetv2-top-images-format-val/{label}/{label:040x}.jpeg", label
    for label in A[::20]:
        yield "ImageNet-A", f"imagenet-a/{wnids()[label]}/0.0{label}_right _ wrong_0.9.jpg", label
    for label in R[::20]:
        for kind in ("art", "toy"):
            yield "ImageNet-R", f"imagenet-r/{wnids()[label]}/{kind}_0.jpg", label
    for label in range(5, 1000, 90):
        yield "ImageNet-Sketch", f"sketch/{wnids()[label]}/sketch_{label % 3}.JPEG", label


class Fitted(torch.nn.Module):
    """Right on about every other of the images: fitted to them all, and then shaken."""

    def __init__(self, inputs, labels):
        super().__init__()
        self.seen = []
        wanted = torch.nn.functional.one_hot(torch.tensor(labels), 1000).double()
        generator = torch.Generator().manual_seed(3)
        shaken = wanted + 0.33 * torch.randn(wanted.shape, generator=generator, dtype=torch.float64)
        self.matrix = torch.nn.Parameter(torch.linalg.lstsq(self.features(inputs), shaken).solution)

    def features(self, images):
        return torch.nn.functional.adaptive_avg_pool2d(images.double(), 8).flatten(1)

    def forward(self, images):
        self.seen.append(len(images))
        return self.features(images) @ self.matrix


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """The sets on disk, a model, and its outputs for each file as a loop over files gives them."""
    root, random = tmp_path_factory.mktemp("world"), np.random.default_rng(0)
    inputs = []
    for _, path, _ in places():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        grid = Image.fromarray(random.integers(0, 256, (8, 8, 3), dtype=np.uint8))
        grid.resize((40, 36), Image.Resampling.BICUBIC).save(root / path, "JPEG", quality=95)
        with Image.open(root / path) as image:
            inputs.append(TRANSFORM(image.convert("RGB")))
    (root / "imagenet-a" / "README.txt").write_text("about the set")
    model = Fitted(torch.stack(inputs), [label for _, _, label in places()])
    with torch.no_grad():
        outputs = [model(image[None])[0].tolist() for image in inputs]
    answered = [(*place, output) for place, output in zip(places(), outputs, strict=True)]
    return SimpleNamespace(root=root, model=model, answered=answered)


def best(output, classes):
    """The first of the classes, in order, that no other one beats."""
    winner = None
    for index in sorted(classes):
        if winner is None or output[index] > output[winner]:
            winner = index
    return winner


def expected(world, name):
    """Right and scored images of one companion, by its authors' rules and nothing else."""
    source = "ImageNet" if name in CONTROLS or name == "ImageNet ReaL" else name
    kept, right, scored = MASKS.get(name, range(1000)), 0, 0
    for found, path, label, output in world.answered:
        if found != source:
            continue
        answers = [label]
        if name == "ImageNet ReaL":
            answers = real_labels()[int(path[-13:-5]) - 1]
        if not answers or (name in CONTROLS and label not in kept):
            continue
        scored += 1
        right += best(output, kept) in answers
    return right, scored


def measured(result):
    counts = {name: next(iter(each.record["correct"].values())) for name, each in result.companions.items()}
    return {name: (counts[name], each.record["scored"]) for name, each in result.companions.items()}


def benchmark(world, **arguments):
    arguments = {"data_root": world.root / "imagenet", "input_transform": TRANSFORM, "num_workers": 0} | arguments
    return ImageNet.benchmark(world.model, **arguments)


FOUND = [
    *("ImageNet ReaL", *CONTROLS, "ImageNet-V2", "ImageNet-V2 Top-Images"),
    *("ImageNet-A", "ImageNet-R", "ImageNet-Sketch"),
]


@pytest.mark.parametrize("batch_size", [1, 7, 128])
def test_the_row_is_what_plain_loops_count_at_any_batch_size(world, batch_size):
    result = benchmark(world, companions="all", batch_size=batch_size)
    assert measured(result) == {name: expected(world, name) for name in FOUND}
    assert list(result.companions) == FOUND
    for right, scored in measured(result).values():
        assert 0 < right < scored, "the model must be right and wrong, or nothing was shown"
    _, images = measured(result)["ImageNet (200 classes of ImageNet-A)"]
    assert images < 80
    unmasked = [best(output, range(1000)) == label for name, _, label, output in world.answered if name == "ImageNet-A"]
    assert sum(unmasked) < measured(result)["ImageNet-A"][0], "the mask must matter, or nothing was shown"


def test_readings_of_the_same_answers_run_no_image_again(world):
    world.model.seen.clear()
    result = benchmark(world, companions="real,a", batch_size=16)
    assert list(result.companions) == ["ImageNet ReaL", "ImageNet (200 classes of ImageNet-A)", "ImageNet-A"]
    assert sum(world.model.seen) == 80 + 10 + 0


def test_each_companion_has_a_record_with_its_predictions(world, environment, tmp_path):
    environment(SOTABENCH_STORE_FILENAME=tmp_path / "results.json")
    paper = {"Top 1 Accuracy": 0.5}
    result = benchmark(world, companions="all", paper_model_name="Fitted", paper_results=paper)
    records = read_records(tmp_path / "results.json")
    assert [record["dataset_name"] for record in records] == ["ImageNet", *FOUND]
    for record in records:
        validate_record(record)
        assert record["model"] == "Fitted"
    for name, record in zip(FOUND, records[1:], strict=True):
        assert record == json.loads(json.dumps(result.companions[name].to_dict()))
        assert (record["paper"], record["paper_results"]) == ({}, None), "what was reported is about ImageNet"
        assert record["kept_classes"] == (list(MASKS[name]) if name in MASKS else None)
        predictions = read_predictions(tmp_path / record["predictions"]["name"])
        assert set(predictions.classes[:, 0].tolist()) <= set(MASKS.get(name, range(1000)))
    by_name = {record["dataset_name"]: record for record in records}
    assert by_name["ImageNet ReaL"]["predictions"] == by_name["ImageNet"]["predictions"]
    assert by_name["ImageNet ReaL"]["calibration"] == {}
    assert "expected_calibration_error" in by_name["ImageNet-A"]["calibration"]


def test_a_sealed_run_scores_nothing_and_the_platform_gets_the_same_numbers(world, environment, tmp_path, capfd):
    open_numbers = measured(benchmark(world, companions="all"))
    capfd.readouterr()
    environment(SOTABENCH_SEALED=1, SOTABENCH_SERVER="true", SOTABENCH_DATA_ROOT=world.root / "imagenet")
    environment(SOTABENCH_STORE_FILENAME=tmp_path / "results.json", SOTABENCH_COMPANIONS="all")
    result = benchmark(world)
    shown = "".join(capfd.readouterr())
    assert "ImageNet-A: scored by the platform; a SUBSET of 10" in shown
    assert "%" not in shown.replace("(100%)", "")
    records = {record["dataset_name"]: record for record in read_records(tmp_path / "results.json")}
    assert all(not record["results"] and "scored" not in record for record in records.values())
    assert list(result.companions) == FOUND
    labels = {path.rpartition("/")[2][:-5]: label for name, path, label, _ in world.answered if name == "ImageNet"}
    for name, kept in CONTROLS.items():
        predictions = read_predictions(tmp_path / records[name]["predictions"]["name"])
        assert len(predictions) == 80, "who runs this does not know which images count"
        mine = {image: label for image, label in labels.items() if label in kept}
        scored = score(selected(predictions, mine), mine, target_map=records[name]["target_map"])
        assert (scored.correct["Top 1 Accuracy"], scored.samples) == open_numbers[name]
    predictions = read_predictions(tmp_path / records["ImageNet ReaL"]["predictions"]["name"])
    real = score_multilabel(predictions, {image: real_labels()[int(image[-8:]) - 1] for image in labels})
    assert (real.correct["ReaL Accuracy"], real.samples) == open_numbers["ImageNet ReaL"]


def test_renumbered_classes_change_no_number(world):
    def mirror(output, target, model):
        return output.flip(1)

    plain = benchmark(world, companions="all")
    mirrored = benchmark(
        world, companions="all", target_transform=lambda label: 999 - label, model_output_transform=mirror
    )
    assert measured(mirrored) == measured(plain)


def test_real_by_hand(world, tmp_path):
    """Images 1 to 5 have no label; 970 or 795; 230 or 231; 809; 516 or 850. The model says 795, always."""
    (tmp_path / "val").mkdir()
    for number in range(1, 6):
        name = f"ILSVRC2012_val_{number:08d}.JPEG"
        (tmp_path / "val" / name).symlink_to(world.root / "imagenet" / "val" / name)

    def says_795(images):
        return torch.nn.functional.one_hot(torch.full((len(images),), 795), 1000).float()

    result = ImageNetReaL.benchmark(says_795, data_root=tmp_path, input_transform=TRANSFORM, num_workers=0)
    assert (result.results, result.record["scored"], result.record["samples"]) == ({"ReaL Accuracy": 1 / 4}, 4, 5)
    assert ImageNet.benchmark(says_795, data_root=tmp_path, num_workers=0).results["Top 1 Accuracy"] == 0


def test_masks_by_hand(world):
    """Class 0, the best of all, is none of ImageNet-A's; the two next ones tie, and the lower one, 6, is taken."""

    def says_tench_then_6_or_11(images):
        outputs = torch.zeros(len(images), 1000)
        outputs[:, 0], outputs[:, 6], outputs[:, 11] = 9, 5, 5
        return outputs

    arguments = {"data_root": world.root / "imagenet", "input_transform": TRANSFORM, "num_workers": 0}
    result = ImageNetA.benchmark(says_tench_then_6_or_11, **arguments)
    assert result.record["correct"] == {"Top 1 Accuracy": 1}, "one image of class 6, one of each of nine other classes"
    assert set(result.predictions.classes[:, 0].tolist()) == {6}
    assert not result.notes, "near nothing is what these images are for"
    control = ImageNetAControl.benchmark(says_tench_then_6_or_11, **arguments)
    of_class_6 = sum(int(label) == 6 for label in validation_labels()[:80])
    assert control.record["correct"] == {"Top 1 Accuracy": of_class_6}


@pytest.mark.parametrize("set_of_its_own", [ImageNetV2, ImageNetV2TopImages, ImageNetA, ImageNetSketch])
def test_each_set_can_be_called_by_itself_as_from_the_row(world, set_of_its_own):
    row = benchmark(world, companions="all").companions[set_of_its_own.name]
    alone = set_of_its_own.benchmark(
        world.model, data_root=world.root / "imagenet", input_transform=TRANSFORM, num_workers=0
    )
    assert alone.record["correct"] == row.record["correct"]
    assert alone.record["dataset"] == row.record["dataset"]


def test_all_says_in_one_line_what_is_not_there(world, capsys):
    result = benchmark(world, companions="all")
    shown = capsys.readouterr().out
    (line,) = [line for line in shown.splitlines() if line.startswith("companions that are not evaluated")]
    assert "ImageNet-V2 Threshold-0.7 (no class folders in imagenetv2-threshold0.7-format-val or" in line
    assert f"looked in and beside {world.root / 'imagenet'}" in line
    assert line.count("no class folders") == 1
    right, scored = expected(world, "ImageNet ReaL")
    assert f"  ImageNet ReaL: ReaL Accuracy {right / scored:.3%} (" in shown
    assert f"; {scored} of them are scored" in shown
    assert "ImageNet-V2 Threshold-0.7" not in result.companions


def test_what_is_asked_for_by_name_and_not_there_stops_before_the_model_runs(world):
    world.model.seen.clear()
    with pytest.raises(DataNotFound, match="ImageNet-V2 Threshold-0.7 .no class folders in imagenetv2-threshold0.7"):
        benchmark(world, companions=["real", "v2-threshold"])
    assert world.model.seen == []


def test_unknown_names_are_said_before_anything_is_looked_for(world, environment):
    with pytest.raises(ArgumentError, match="companions to be 'all' or some of real, v2, .* sketch, got 'v3'"):
        benchmark(world, companions="real,v3", data_root="/nowhere")
    environment(SOTABENCH_COMPANIONS="everything")
    with pytest.raises(ArgumentError, match="expected SOTABENCH_COMPANIONS to be"):
        benchmark(world, data_root="/nowhere")


def test_the_call_goes_before_the_sites_setting(world, environment):
    environment(SOTABENCH_COMPANIONS="sketch, real")
    assert list(benchmark(world).companions) == ["ImageNet ReaL", "ImageNet-Sketch"]
    assert list(benchmark(world, companions=False).companions) == []
    assert list(benchmark(world, companions="").companions) == []
    assert list(benchmark(world, companions="V2").companions) == ["ImageNet-V2"]


def test_other_benchmarks_pass_over_the_setting_and_refuse_the_argument(environment):
    environment(SOTABENCH_COMPANIONS="all", SOTABENCH_CHECK="params")
    assert CIFAR10.benchmark(torch.nn.Identity()).results == {}
    with pytest.raises(ArgumentError, match="this benchmark has none, got 'all'"):
        CIFAR10.benchmark(torch.nn.Identity(), companions="all")


def test_images_under_other_names_have_no_real_label(linear_model, few_images, capsys):
    model = linear_model()
    result = ImageNet.benchmark(model, data_root=few_images, companions="all")
    assert result.companions == {}
    assert "ImageNet ReaL (none of the 15 images can be scored: expected official names" in capsys.readouterr().out
    with pytest.raises(DataNotFound, match="none of the 15 images can be scored"):
        ImageNet.benchmark(model, data_root=few_images, companions="real")
    with pytest.raises(DataError, match="ImageNet ReaL at .*: none of the 15 images can be scored"):
        ImageNetReaL.benchmark(model, data_root=few_images)
    with pytest.raises(DataError, match="none of the 15 images shows one of its 200 classes"):
        ImageNetAControl.benchmark(model, data_root=few_images)


def test_a_full_check_runs_one_batch_of_each_set(world, environment):
    environment(SOTABENCH_CHECK="full")
    world.model.seen.clear()
    result = benchmark(world, companions="all", batch_size=3)
    assert world.model.seen == [3] * 6
    assert all(not each.results for each in result.companions.values())


SCRIPT = """
import sys
import torch
from torchvision.transforms import CenterCrop, Compose, Resize, ToTensor
from torchbench.image_classification import ImageNet

matrix = torch.load(sys.argv[1])
ImageNet.benchmark(
    lambda images: torch.nn.functional.adaptive_avg_pool2d(images.double(), 8).flatten(1) @ matrix,
    input_transform=Compose([Resize(32), CenterCrop(32), ToTensor()]), data_root=sys.argv[2], num_workers=0,
)
"""


def test_several_processes_share_every_companion(world, tmp_path):
    (tmp_path / "sotabench.py").write_text(SCRIPT)
    torch.save(world.model.matrix.detach(), tmp_path / "matrix.pt")
    launcher = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]
    settings = {
        "SOTABENCH_COMPANIONS": "all",
        "SOTABENCH_STORE_FILENAME": str(tmp_path / "results.json"),
        "XDG_CACHE_HOME": str(tmp_path / "cache"),
        "OMP_NUM_THREADS": "1",
    }
    done = subprocess.run(
        [*launcher, str(tmp_path / "sotabench.py"), str(tmp_path / "matrix.pt"), str(world.root / "imagenet")],
        env=os.environ | settings, capture_output=True, text=True, timeout=200, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    records = read_records(tmp_path / "results.json")
    assert [record["dataset_name"] for record in records] == ["ImageNet", *FOUND]
    for record in records[1:]:
        right = next(iter(record["correct"].values()))
        assert (right, record["scored"]) == expected(world, record["dataset_name"])
        assert record["speed"]["processes"] == 2
