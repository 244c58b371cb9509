"""A call is known by its key, and one that the platform has scored already does not run again."""

import json

import pytest
import torch

from benchrecord import InvalidRecord, read_records, validate_record
from torchbench import call_key
from torchbench.errors import ArgumentError
from torchbench.image_classification import ImageNet


@pytest.fixture
def model(linear_model):
    return linear_model()


@pytest.fixture
def run(few_images, environment, tmp_path):
    """Runs calls as one process of a build does, each `(model, changes)`; the records that they appended."""

    def run_calls(*calls, done=(), name="records.json"):
        (tmp_path / "done.json").write_text(json.dumps(list(done)))
        environment(SOTABENCH_STORE_FILENAME=tmp_path / name, SOTABENCH_SEALED=1, SOTABENCH_DONE=tmp_path / "done.json")
        call_key._asked_before.clear()
        for asked, changes in calls:
            ImageNet.benchmark(asked, **({"data_root": few_images, "paper_model_name": "Net"} | changes))
        return read_records(tmp_path / name)

    return run_calls


def keys(records):
    return [record["call_key"] for record in records]


def test_same_calls_in_a_later_run_have_the_same_keys(run, model):
    calls = [(model, {}), (model, {"paper_model_name": "Other"})]
    first = keys(run(*calls, name="a.json"))
    assert first == keys(run(*calls, name="b.json"))
    assert len(set(first)) == 2
    assert all(len(key) == 64 for key in first)


def double(output, target, model):
    return 2 * output


@pytest.mark.parametrize(
    "changes",
    [
        {"paper_model_name": "Other"},
        {"model_description": "other"},
        {"paper_results": {"Top 1 Accuracy": 0.5}},
        {"target_transform": lambda label: 999 - label},
        {"model_output_transform": double},
        {"input_transform": torch.nn.Identity()},
    ],
)
def test_whatever_is_asked_otherwise_is_another_call(run, model, changes):
    transform = changes.get("input_transform") and ImageNet.input_transform
    if transform:
        changes = {"input_transform": type(transform)([*transform.transforms, torch.nn.Identity()])}
    one, other = keys(run((model, {}), (model, changes)))
    assert one != other


def test_order_of_the_papers_results_and_the_batch_size_change_no_key(run, model):
    results = {"Top 1 Accuracy": 0.5, "Top 5 Accuracy": 0.6}
    first = keys(run((model, {"paper_results": results}), name="a.json"))
    turned = dict(reversed(results.items()))
    assert first == keys(run((model, {"paper_results": turned, "batch_size": 2}), name="b.json"))


def test_other_weights_are_another_call(run, model):
    first = keys(run((model, {}), name="a.json"))
    with torch.no_grad():
        model.matrix[0, 0] += 1
    assert first != keys(run((model, {}), name="b.json"))


def test_two_calls_that_look_alike_are_told_apart_by_their_order(run, model):
    one, other = keys(run((model, {}), (model, {})))
    assert one != other


def test_object_whose_inside_cannot_be_seen_has_no_key(run):
    (record,) = run((lambda images: torch.zeros(len(images), 1000), {}))
    assert record["call_key"] is None


def test_call_that_is_done_does_not_run_again_and_says_so(run, model, capfd):
    calls = [(model, {}), (model, {"paper_model_name": "Other"})]
    done = keys(run(*calls, name="a.json"))[:1]
    before = len(model.seen)
    capfd.readouterr()
    stub, record = run(*calls, done=done, name="b.json")
    assert (stub["call_key"], stub["carried_over"], stub["results"]) == (done[0], True, {})
    assert "predictions" not in stub
    assert "carried_over" not in record
    assert record["predictions"]
    assert sum(model.seen[before:]) <= 15 + 1  # the images of one call, and one to count operations
    assert "scored in an earlier run, not run again" in capfd.readouterr().out


def test_caller_gets_what_a_sealed_run_gives(few_images, environment, model, tmp_path):
    results = []
    for name, done in (("a.json", []), ("b.json", None)):
        call_key._asked_before.clear()
        known = results[0].record["call_key"] if done is None else ""
        (tmp_path / "done.json").write_text(json.dumps([known]))
        environment(SOTABENCH_STORE_FILENAME=tmp_path / name, SOTABENCH_SEALED=1, SOTABENCH_DONE=tmp_path / "done.json")
        results.append(ImageNet.benchmark(model, data_root=few_images))
    ran, stub = results
    assert stub.predictions is None
    assert (stub.results, stub.intervals, stub.paper) == (ran.results, ran.intervals, ran.paper) == ({}, {}, {})
    assert (stub.model, stub.task, stub.dataset) == (ran.model, ran.task, ran.dataset)
    assert stub.record.keys() - ran.record.keys() == {"carried_over"}


def test_record_of_a_call_that_did_not_run_is_valid_only_where_asked_for(run, model):
    (record,) = run((model, {}), name="a.json")
    (stub,) = run((model, {}), done=[record["call_key"]], name="b.json")
    validate_record(stub, carried_over=True)
    validate_record(record, carried_over=True)
    with pytest.raises(InvalidRecord, match="one of a call that ran"):
        validate_record(stub)
    with pytest.raises(InvalidRecord, match="without results and predictions"):
        validate_record(stub | {"results": {"Top 1 Accuracy": 1.0}}, carried_over=True)
    with pytest.raises(InvalidRecord, match="call_key"):
        validate_record(stub | {"call_key": None}, carried_over=True)


@pytest.mark.parametrize("content", ["{}", "[1]", "[", ""])
def test_list_of_done_calls_that_is_none_is_refused(model, environment, tmp_path, content):
    (tmp_path / "done.json").write_text(content)
    environment(SOTABENCH_DONE=tmp_path / "done.json")
    with pytest.raises(ArgumentError, match="SOTABENCH_DONE"):
        ImageNet.benchmark(model)
