import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchrecord import InvalidRecord, printable, validate_record


def test_a_whole_record_and_the_smallest_one_are_valid(record):
    validate_record(record())
    required = ("format", "model", "task", "dataset_name", "results")
    validate_record({key: record()[key] for key in required})


def test_unknown_keys_are_allowed_but_bounded(record):
    validate_record(record(novelty={"anything": [1, 2, {"b": None}]}))
    with pytest.raises(InvalidRecord, match="text of at most 20000"):
        validate_record(record(novelty="x" * 20_001))
    with pytest.raises(InvalidRecord, match="record.novelty.a to be a finite number"):
        validate_record(record(novelty={"a": float("nan")}))


def test_long_names_around_many_values_cost_no_memory(record):
    """Each value's place has four thousand characters; all of them at once would be 400 megabytes."""
    value = [0] * 100_000
    for _ in range(7):
        value = {"\U000e0041" * 60: value}
    tracemalloc.start()
    try:
        validate_record(record(novelty=value))
        assert tracemalloc.get_traced_memory()[1] < 1 << 20
    finally:
        tracemalloc.stop()


def test_place_of_a_value_is_named_by_its_keys_and_numbers(record):
    with pytest.raises(InvalidRecord, match=r"expected record\.novelty\[1\]\.a \[0\]\[2\] to be a finite number"):
        validate_record(record(novelty=[0, {"a ": [[1, "x", float("inf")]]}]))


@pytest.mark.parametrize("key", ["format", "model", "task", "dataset_name", "results"])
def test_required_keys_are_required(key, record):
    lacking = record()
    del lacking[key]
    with pytest.raises(InvalidRecord, match=f"found none named {key}"):
        validate_record(lacking)


def test_a_record_without_a_model_name_is_valid_and_results_may_wait_for_predictions(record):
    validate_record(record(model=None))
    validate_record(record(results={}, intervals=None))
    with pytest.raises(InvalidRecord, match="unless there are predictions to score"):
        validate_record(record(results={}, predictions=None))


def test_metrics_that_are_no_accuracies_may_exceed_one(record):
    validate_record(record(results={"Perplexity": 18.3}))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"format": 2}, "expected format to be 1"),
        ({"format": True}, "expected format to be 1"),
        ({"format": "1"}, "expected format to be 1"),
        ({"model": 7}, "expected model to be text"),
        ({"model": "x" * 301}, "expected model to be text of at most 300"),
        ({"task": ""}, "expected task to be a name"),
        ({"task": None}, "expected task to be a name"),
        ({"dataset_name": "Image\u202eNet"}, r"expected dataset_name to be a name .* found 'Image\\u202eNet'"),
        ({"results": None}, "expected results to be an object"),
        (
            {"results": {"Top 1 Accuracy": 79.3}},
            r"results\['Top 1 Accuracy'\] to be a fraction from 0 to 1, found 79.3",
        ),
        ({"results": {"Top 1 Accuracy": -0.1}}, "to be a fraction"),
        ({"results": {"Top 1 Accuracy": True}}, "to be a number"),
        ({"results": {"Top 1 Accuracy": "0.7"}}, "to be a number"),
        ({"results": {"\x1b[31m": 0.5}}, r"every metric in results to be a name .* found '\\x1b\[31m'"),
        ({"intervals": {"Top 1 Accuracy": [0.8, 0.7]}}, "two fractions in order"),
        ({"intervals": {"Top 1 Accuracy": [0.8]}}, "two fractions in order"),
        ({"intervals": []}, "expected intervals to be an object"),
        ({"samples": -1}, "expected samples to be a count"),
        ({"samples": 1.5}, "expected samples to be a count"),
        ({"target_map": [0, 0, 1]}, "expected target_map to be a bijection"),
        ({"target_map": [1, 2, 3]}, "expected target_map to be a bijection"),
        ({"target_map": [False, True]}, "expected target_map to be a bijection"),
        ({"target_map": "012"}, "expected target_map to be a list"),
        ({"paper_results": {"Top 1 Accuracy": "79 %"}}, "to be a number"),
        ({"weights": {}}, "expected weights to be a list"),
        ({"environment": "mine"}, "expected environment to be an object"),
        ({"transform": 5}, "expected transform to be an object, text or null"),
    ],
)
def test_values_of_another_form_are_refused(changes, message, record):
    with pytest.raises(InvalidRecord, match=message):
        validate_record(record(**changes))


@pytest.mark.parametrize(
    "name",
    [
        "../x",
        "a/b",
        "/etc/passwd",
        "..",
        ".",
        "",
        ".hidden",
        "a..b",
        "a\\b",
        "C:x",
        "a\n",
        "a\0",
        "é",
        "a" * 256,
        None,
        5,
    ],
)
def test_the_predictions_file_is_a_plain_name_beside_the_record(name, record):
    with pytest.raises(InvalidRecord, match=r"expected (record\.)?predictions\.name to be"):
        validate_record(record(predictions=record()["predictions"] | {"name": name}))


@pytest.mark.parametrize(
    "change",
    [
        {"size": 0},
        {"size": "1"},
        {"size": True},
        {"sha256": "0" * 63},
        {"sha256": "G" * 64},
        {"sha256": None},
        {"more": 1},
    ],
)
def test_the_predictions_entry_is_exact(change, record):
    with pytest.raises(InvalidRecord, match=r"expected predictions(\.size|\.sha256)? to be"):
        validate_record(record(predictions=record()["predictions"] | change))


def old_record():
    return {
        "model": "ResNeXt-101-32x8d",
        "model_description": None,
        "task": "Image Classification",
        "dataset_name": "ImageNet",
        "results": {"Top 1 Accuracy": 0.79312, "Top 5 Accuracy": 0.94526},
        "speed_mem_metrics": {"Tasks / Evaluation Time": None},
        "arxiv_id": "1611.05431",
        "pwc_id": None,
        "pytorch_hub_id": None,
        "paper_results": None,
        "run_hash": "d31f5ff9f2cd5e3d7e8ef4b3ff1ff1ff",
    }


def test_a_predecessors_record_is_valid_when_asked_for(record):
    validate_record(old_record(), predecessor=True)
    validate_record(record(), predecessor=True)
    with pytest.raises(InvalidRecord, match="found none named format"):
        validate_record(old_record())


def test_leaving_out_the_format_does_not_smuggle_other_keys_past_it():
    with pytest.raises(InvalidRecord, match=r"predecessor's keys only, found \['predictions'\]"):
        validate_record(old_record() | {"predictions": {"name": "../x"}}, predecessor=True)
    with pytest.raises(InvalidRecord, match="to be a fraction"):
        validate_record(old_record() | {"results": {"Top 1 Accuracy": 79.3}}, predecessor=True)


@pytest.mark.parametrize("value", [None, [], "text", 5])
def test_what_is_no_object_is_no_record(value):
    with pytest.raises(InvalidRecord, match="expected the record to be a JSON object"):
        validate_record(value)


# Showing a stranger's text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("ResNet-50 (größer, 模型)", "ResNet-50 (größer, 模型)"),
        ("\x1b[2Jgone", r"\x1b[2Jgone"),
        ("\x9b2J", r"\x9b2J"),
        ("one\r\ntwo\tthree", r"one\r\ntwo\tthree"),
        ("abc\u202egpj", r"abc\u202egpj"),
        ("\u2066x\u2069\u200f", r"\u2066x\u2069\u200f"),
        ("zero\u200bwidth\ufeff", r"zero\u200bwidth\ufeff"),
        ("line\u2028break\x85", r"line\u2028break\x85"),
        ("half \ud800", r"half \ud800"),
        ("tag \U000e0041", r"tag \U000e0041"),
    ],
)
def test_printable_shows_what_would_act(text, shown):
    assert printable(text) == shown


@given(st.text(st.characters()))
def test_printable_text_is_printable_and_stays_so(text):
    assert printable(text, 10**6).isprintable()
    assert printable(printable(text, 10**6), 10**6) == printable(text, 10**6)


def test_printable_cuts_what_is_long():
    assert printable("x" * 501) == "x" * 500 + "..."
    assert printable("x" * 10, 10) == "x" * 10
