import math
from collections import namedtuple
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from torchbench import checks
from torchbench.errors import ArgumentError, OutputError

InceptionOutputs = namedtuple("InceptionOutputs", ["logits", "aux_logits"])  # noqa: PYI024 - as torchvision has it


def complaint(output, batch=8, classes=1000):
    with pytest.raises(OutputError) as caught:
        checks.check_output(output, batch=batch, classes=classes)
    return str(caught.value)


def test_a_good_output_is_handed_back_itself():
    output = torch.zeros(8, 1000)
    assert checks.check_output(output, batch=8, classes=1000) is output


@pytest.mark.parametrize(
    ("output", "words"),
    [
        (np.zeros((8, 1000)), ["got a ndarray", "torch.as_tensor(output)"]),
        (InceptionOutputs(torch.zeros(8, 1000), None), ["InceptionOutputs of 2 (logits, aux_logits)", "output[0]"]),
        ((torch.zeros(8, 1000), torch.zeros(8, 1000)), ["got a tuple of 2", "output[0]"]),
        ({"logits": torch.zeros(8, 1000)}, ["got a dict with logits", "output['logits']"]),
        (SimpleNamespace(logits=torch.zeros(8, 1000)), ["got a SimpleNamespace", "output.logits"]),
        (None, ["got None", "does its forward method end with a return?"]),
        ([[0.0] * 1000] * 8, ["got a list of 8", "torch.as_tensor(output)"]),
        (torch.zeros(8, 1000, 1, 1), ["got (8, 1000, 1, 1)", "output.flatten(1)"]),
        (torch.zeros(8000), ["expected outputs of shape (8, 1000), got (8000,)", "one row an image"]),
        (torch.zeros(4, 1000), ["got (4, 1000)", "was given 8 images and answered for 4"]),
        (torch.zeros(8, 1001), ["got (8, 1001)", "background", "output[:, 1:]"]),
        (torch.zeros(8, 10), ["got (8, 10); does the model's head have 1,000 classes?"]),
        (torch.zeros(8, 1000, dtype=torch.complex64), ["complex64", "real numbers"]),
    ],
)
def test_a_wrong_output_is_refused_with_what_was_expected_found_and_to_be_done(output, words):
    message = complaint(output)
    assert "expected" in message
    for word in words:
        assert word in message


@pytest.mark.parametrize("dtype", [torch.int32, torch.uint8, torch.float16, torch.bfloat16, torch.float64])
def test_targets_may_come_back_in_any_numeric_dtype(dtype):
    sent = torch.tensor([0, 3, 200])
    checks.check_targets(sent.to(dtype), sent)


def test_bfloat16_targets_are_the_rounded_ones():
    sent = torch.tensor([999])
    checks.check_targets(sent.to(torch.bfloat16), sent)


@pytest.mark.parametrize("returned", [torch.tensor([1, 2]), torch.tensor([[0], [1]]), None, [0, 1]])
def test_changed_targets_are_refused(returned):
    with pytest.raises(ArgumentError, match="send_data_to_device"):
        checks.check_targets(returned, torch.tensor([0, 1]))


def test_a_target_transform_is_read_as_its_map_over_the_classes():
    assert checks.class_map(None, 4) is None
    assert checks.class_map(lambda label: label, 4) is None
    assert checks.class_map(lambda label: 3 - label, 4) == (3, 2, 1, 0)
    assert checks.class_map(lambda label: torch.tensor((label + 1) % 4), 4) == (1, 2, 3, 0)
    assert checks.class_map(lambda label: np.int64(3 - label), 4) == (3, 2, 1, 0)
    assert checks.class_map(lambda label: float(3 - label), 4) == (3, 2, 1, 0)


@pytest.mark.parametrize("transform", [lambda _: 0, lambda label: label // 2, lambda label: label + 1, lambda _: -1])
def test_a_target_transform_that_is_no_bijection_is_refused(transform):
    with pytest.raises(ArgumentError, match="one to one onto 0...3, but nothing maps to"):
        checks.class_map(transform, 4)


@pytest.mark.parametrize("value", ["3", None, 0.5, [1], True, torch.zeros(2), math.nan])
def test_a_target_transform_that_gives_no_class_is_refused(value):
    with pytest.raises(ArgumentError, match=r"expected target_transform\(0\) to be a class index"):
        checks.class_map(lambda _: value, 4)


@pytest.mark.parametrize("value", [0, -1, 2.5, "8", True])
def test_a_batch_size_that_makes_no_sense_is_refused(value):
    with pytest.raises(ArgumentError, match="expected batch_size to be a whole number of at least 1"):
        checks.check_numbers(batch_size=value, num_workers=0, num_gpu=1)


def test_a_state_dict_in_place_of_a_model_is_recognised():
    with pytest.raises(ArgumentError, match="state_dict"):
        checks.check_model(torch.nn.Linear(2, 2).state_dict())


def test_anything_with_a_forward_method_is_a_model():
    checks.check_model(SimpleNamespace(forward=lambda images: images))
    checks.check_model(torch.nn.Identity())
    checks.check_model(lambda images: images)


def test_a_hook_that_cannot_be_called_is_refused_by_name():
    with pytest.raises(ArgumentError, match="expected model_output_transform to be a function, got 'softmax'"):
        checks.check_hooks(model_output_transform="softmax")


class Both:
    def __call__(self, output, target, model):
        return output


@pytest.mark.parametrize(
    ("function", "takes"),
    [
        (lambda output, target, model: output, True),
        (lambda output, target, **kwargs: output, True),
        (lambda output, target: output, False),
        (lambda *args: args, False),
        (Both(), True),
    ],
)
def test_how_an_output_transform_is_called_is_read_from_its_signature(function, takes):
    assert checks.takes_model(function) is takes


METRICS = ("Top 1 Accuracy", "Top 5 Accuracy")


@pytest.mark.parametrize("arxiv_id", [None, "1611.05431", "1905.11946v2", "cs/0112017", "math.GT/0309136"])
def test_arxiv_ids_of_both_kinds_are_fine(arxiv_id):
    assert checks.paper_problems(arxiv_id, None, METRICS) == []


def test_every_problem_with_the_paper_is_said():
    results = {"Top 1 Accuracy": 79.3, "Top 5 Accuracy": 0.9, "top1": 0.8}
    problems = checks.paper_problems("arxiv:1611", results, METRICS)
    assert problems == [
        "expected paper_arxiv_id like '1611.05431', got 'arxiv:1611'",
        ("expected paper_results['Top 1 Accuracy'] to be a fraction between 0 and 1, got 79.3; did you mean 0.793?"),
        "paper_results has 'top1'; this benchmark's metrics are 'Top 1 Accuracy' and 'Top 5 Accuracy'",
    ]


@pytest.mark.parametrize("value", [None, "0.8", math.nan, -0.1, True])
def test_a_paper_result_that_is_no_fraction_is_a_problem(value):
    (problem,) = checks.paper_problems(None, {"Top 1 Accuracy": value}, METRICS)
    assert "to be a fraction between 0 and 1" in problem


def test_a_class_in_place_of_a_model_is_refused():
    with pytest.raises(ArgumentError, match=r"got the class Linear; pass Linear\(\)"):
        checks.check_model(torch.nn.Linear)


def test_a_target_transform_that_cannot_be_called_is_refused():
    with pytest.raises(ArgumentError, match="expected target_transform to be a function, got {0: 1"):
        checks.class_map({0: 1, 1: 0}, 2)
