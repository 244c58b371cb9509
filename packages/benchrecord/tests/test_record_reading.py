import json
import sys

import pytest

from benchrecord import InvalidRecord, append_record, read_records


@pytest.fixture
def read_text(tmp_path):
    def read(text, **limits):
        path = tmp_path / "stranger.json"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return read_records(path, **limits)

    return read


@pytest.mark.parametrize("deep", ["[" * 100_000, '{"a":' * 100_000, "[" * 100_000 + "]" * 100_000, "[{}," * 17])
def test_deep_json_is_refused_without_recursion(read_text, deep):
    with pytest.raises(InvalidRecord, match="expected JSON at most 16 deep"):
        read_text(deep)


def test_deep_json_is_refused_although_the_recursion_limit_is_out_of_reach(read_text):
    before = sys.getrecursionlimit()
    sys.setrecursionlimit(10**9)
    try:
        with pytest.raises(InvalidRecord, match="expected JSON at most 16 deep"):
            read_text("[" * 5_000_000)
    finally:
        sys.setrecursionlimit(before)


def test_the_deepest_record_that_is_written_can_be_read(tmp_path):
    path = tmp_path / "results.json"
    nested = []
    for _ in range(13):
        nested = [nested]
    append_record(path, {"deep": nested})
    assert read_records(path) == [{"deep": nested}]
    with pytest.raises(InvalidRecord, match="at most 16 deep"):
        append_record(path, {"deep": [nested]})


def test_brackets_in_text_are_not_depth(read_text):
    text = '[{"a": "' + r"[{\"[\\" * 1000 + '"}]'
    assert read_text(text) == json.loads(text)


def test_a_text_that_never_ends_is_refused_at_once(read_text):
    for evil in ('["' + r"\"" * 2_000_000, '["' + "\\" * 4_000_000, '"' * 4_000_001):
        with pytest.raises(InvalidRecord, match="expected JSON, found"):
            read_text(evil)


def test_many_small_values_are_refused_before_they_are_built(read_text):
    with pytest.raises(InvalidRecord, match="at most 1000000 values"):
        read_text("[" + "[]," * 1_000_000 + "[]]")


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e999", "-1e999"])
def test_numbers_that_are_not_finite_are_refused(read_text, number):
    with pytest.raises(InvalidRecord, match="expected every number to be finite"):
        read_text(f'[{{"results": {number}}}]')


@pytest.mark.parametrize("number", ["9" * 5000, str(2**63), str(-(2**63)), "-" + "9" * 100_000])
def test_huge_integers_are_refused(read_text, number):
    with pytest.raises(InvalidRecord, match=r"to be (one|an integer) of 64 bits"):
        read_text(f'[{{"samples": {number}}}]')


@pytest.mark.parametrize(
    "text", ['[{"a": 1, "a": 1}]', '[{"a": {"b": 1, "c": 2, "b": 3}}]', r'[{"a": 1, "\u0061": 2}]']
)
def test_a_key_twice_is_refused(read_text, text):
    with pytest.raises(InvalidRecord, match="expected every key once, found '[ab]' more than once"):
        read_text(text)


@pytest.mark.parametrize(
    "text", [r'[{"a": "\u0000"}]', r'[{"a": "\ud800"}]', r'[{"\u0000": 1}]', f'[{{"{"k" * 201}": 1}}]']
)
def test_text_that_databases_cannot_hold_is_refused(read_text, text):
    with pytest.raises(InvalidRecord, match="without NUL"):
        read_text(text)


def test_long_texts_are_refused(read_text):
    assert len(read_text(json.dumps([{"a": "x" * 20_000}]))) == 1
    with pytest.raises(InvalidRecord, match=r"expected file\[0\]\.a to be text of at most 20000 characters"):
        read_text(json.dumps([{"a": "x" * 20_001}]))


@pytest.mark.parametrize(
    "text", ["{}", "[1]", "[{}, []]", "null", "", "[{}", "[{}] x", b"\xff[]", "\ufeff[]", "[{'a': 1}]"]
)
def test_what_is_no_list_of_objects_is_refused(read_text, text):
    with pytest.raises(InvalidRecord, match="expected"):
        read_text(text)


def test_the_number_of_records_is_bounded(read_text):
    assert read_text("[{}, {}]", max_records=2) == [{}, {}]
    with pytest.raises(InvalidRecord, match="expected at most 1 records, found 2"):
        read_text("[{}, {}]", max_records=1)
