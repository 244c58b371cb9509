"""Whatever a caller's objects and file names are like, the record of a run is kept."""

import re

import PIL
import pytest
import torch

from benchrecord import read_predictions, read_records, validate_record
from torchbench import environment as facts_of_the_machine
from torchbench.image_classification import ImageNet
from torchbench.model_facts import describe_model, digest_of_weights


class Transform:
    """ImageNet's own transform under another text."""

    def __init__(self, text):
        self.text = text

    def __call__(self, image):
        return ImageNet.input_transform(image)

    def __repr__(self):
        if self.text is None:
            raise RuntimeError("this object cannot be shown")
        return self.text


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("Net(" + "layer, " * 10_000 + ")", r"Net\(layer, .*\.\.\."),
        ("a\0b\ud800c", r"a\\x00b\\ud800c"),
        (None, "Transform, which cannot be printed"),
        ("<bound method f of <Net object at 0x7f00aa>>", "<bound method f of <Net object>>"),
    ],
)
def test_a_record_is_kept_whatever_the_transform_prints(few_images, environment, linear_model, tmp_path, text, kept):
    environment(SOTABENCH_STORE_FILENAME=tmp_path / "results.json")
    ImageNet.benchmark(linear_model(), input_transform=Transform(text), data_root=few_images, num_workers=0)
    (record,) = read_records(tmp_path / "results.json")
    validate_record(record)
    assert re.fullmatch(kept, record["transform"]["text"], re.DOTALL)
    assert len(record["transform"]["text"]) <= 20_000
    assert (record["call_key"] is None) == (text is None)


def test_transforms_that_differ_late_in_their_text_are_other_calls(few_images, environment, linear_model, tmp_path):
    environment(SOTABENCH_STORE_FILENAME=tmp_path / "results.json")
    for end in "ab":
        transform = Transform("x" * 30_000 + end)
        ImageNet.benchmark(linear_model(), input_transform=transform, data_root=few_images, num_workers=0)
    one, other = read_records(tmp_path / "results.json")
    assert one["call_key"] != other["call_key"]


def test_a_model_that_cannot_be_counted_may_say_as_much_as_it_likes():
    class Talkative(torch.nn.Module):
        def forward(self, images):
            raise ValueError("\0" * 30_000)

    note = describe_model(Talkative(), torch.zeros(1, 3, 8, 8)).macs_note
    assert note.startswith("could not be counted: ValueError: \\x00\\x00")
    assert len(note) < 1000


@pytest.mark.parametrize(
    ("file", "stem"),
    [
        ("my results.json", "my-results"),
        ("résultats.json", "r-sultats"),
        ("_run.json", "run"),
        ("a..b.json", "a.b"),
        ("结果.json", "records"),
        ("x" * 200 + ".json", "x" * 60),
        ("my_results-2.json", "my_results-2"),
    ],
)
def test_records_can_be_read_whatever_their_files_are_called(
    few_images, environment, linear_model, tmp_path, file, stem
):
    environment(SOTABENCH_STORE_FILENAME=tmp_path / file)
    ImageNet.benchmark(linear_model(), data_root=few_images, paper_model_name="Net..2", store_outputs=True)
    (record,) = read_records(tmp_path / file)
    validate_record(record)
    assert record["predictions"]["name"].startswith(f"{stem}-Net.2-")
    assert (tmp_path / record["outputs"]["name"]).stat().st_size == record["outputs"]["size"]
    stored = record["predictions"]
    read_predictions(tmp_path / stored["name"], sha256=stored["sha256"])


def test_the_version_of_pillow_is_the_modules_own(monkeypatch):
    monkeypatch.setattr(facts_of_the_machine, "_PACKAGES", ("torchvision", "pillow-that-is-not-installed"))
    facts = facts_of_the_machine.describe_environment(torch.device("cpu"))
    assert facts["pillow"] == PIL.__version__
    assert "torchvision" in facts
    assert "pillow-that-is-not-installed" not in facts


LAYOUTS = {
    "coo": torch.Tensor.to_sparse_coo,
    "csr": torch.Tensor.to_sparse_csr,
    "csc": torch.Tensor.to_sparse_csc,
    "bsr": lambda tensor: tensor.to_sparse_bsr((2, 2)),
    "bsc": lambda tensor: tensor.to_sparse_bsc((2, 2)),
}


@pytest.mark.filterwarnings("ignore:Sparse")
@pytest.mark.parametrize("layout", LAYOUTS)
def test_sparse_weights_have_a_digest_of_places_and_values(layout):
    def digest(row, column, value):
        dense = torch.zeros(4, 6)
        dense[0, 0], dense[row, column] = 1, value
        model = torch.nn.Module()
        model.register_buffer("mask", LAYOUTS[layout](dense))
        return digest_of_weights(model)

    assert digest(2, 3, 5.0) == digest(2, 3, 5.0)
    assert len({digest(2, 3, 5.0), digest(2, 3, 6.0), digest(2, 2, 5.0), digest(3, 3, 5.0)}) == 4


def test_weights_that_cannot_be_read_lose_their_digest_and_nothing_else(
    few_images, environment, linear_model, tmp_path
):
    model = linear_model()
    model.register_buffer("unused", torch.empty(3, device="meta"), persistent=False)
    facts = describe_model(model, None)
    assert facts.digest is None
    assert facts.digest_note.startswith("could not be read: NotImplementedError: ")
    environment(SOTABENCH_STORE_FILENAME=tmp_path / "results.json")
    model.to = lambda **_: model  # which a tensor without data cannot follow
    ImageNet.benchmark(model, data_root=few_images)
    (record,) = read_records(tmp_path / "results.json")
    assert record["call_key"] is None
    assert record["samples"] == 15
