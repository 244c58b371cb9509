import json
import re
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchrecord import InvalidRecord, append_record, check_appendable, read_records

APPENDER = """
import sys
from benchrecord import append_record
path, name, count = sys.argv[1], sys.argv[2], int(sys.argv[3])
for index in range(count):
    append_record(path, {"model": name, "index": index, "padding": "x" * 2000})
    print(index, flush=True)
"""
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63) + 1, 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(codec="utf-8", exclude_characters="\0")),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text("abc é", max_size=5), inner, max_size=4),
    max_leaves=20,
)


@settings(max_examples=30, deadline=None)
@given(st.lists(st.dictionaries(st.text("abc", min_size=1, max_size=5), JSON, max_size=5), max_size=4))
def test_what_was_appended_is_read_in_order(tmp_path_factory, records):
    path = tmp_path_factory.mktemp("records") / "results.json"
    append_record(path, {"first": 1})
    for one in records:
        append_record(path, one)
    assert read_records(path) == [{"first": 1}, *records]


def test_folders_are_made_and_nothing_but_the_lock_is_left(tmp_path, record):
    path = tmp_path / "a" / "b" / "results.json"
    append_record(str(path), record())
    append_record(path, record(model="second"))
    assert [one["model"] for one in json.loads(path.read_text())] == ["EfficientNet-Lite0", "second"]
    assert sorted(file.name for file in path.parent.iterdir()) == [".results.json.lock", "results.json"]


def test_an_empty_file_is_an_empty_list(tmp_path):
    path = tmp_path / "results.json"
    path.touch(mode=0o640)
    append_record(path, {"model": "a"})
    assert read_records(path) == [{"model": "a"}]
    assert path.stat().st_mode & 0o777 == 0o640


def test_text_is_kept_as_people_write_it(tmp_path):
    append_record(tmp_path / "results.json", {"model": "Größe 模型"})
    assert "Größe 模型" in (tmp_path / "results.json").read_text(encoding="utf-8")


def test_eight_processes_append_without_loss(tmp_path):
    path = tmp_path / "results.json"
    command = [sys.executable, "-c", APPENDER, str(path)]
    running = [subprocess.Popen([*command, str(name), "20"], stdout=subprocess.DEVNULL) for name in range(8)]
    assert [process.wait(timeout=120) for process in running] == [0] * 8
    found = read_records(path)
    for name in range(8):
        assert [one["index"] for one in found if one["model"] == str(name)] == list(range(20))
    assert len(found) == 160


def test_threads_append_without_loss(tmp_path):
    path = tmp_path / "results.json"
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda index: append_record(path, {"index": index}), range(40)))
    assert sorted(one["index"] for one in read_records(path)) == list(range(40))


def test_kill_9_at_any_moment_leaves_a_whole_list_and_stops_nobody(tmp_path):
    path = tmp_path / "results.json"
    kept = 0
    for round_number in range(12):
        command = [sys.executable, "-c", APPENDER, str(path), str(round_number), "100000"]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            process.stdout.readline()
            time.sleep(0.003 * round_number)
            process.kill()
            finished = 1 + len(process.stdout.readlines())
        appended = len(read_records(path)) - kept
        assert finished <= appended <= finished + 1
        kept += appended
    append_record(path, {"model": "last"})
    assert read_records(path)[-1] == {"model": "last"}
    assert sorted(file.name for file in tmp_path.iterdir()) == [".results.json.lock", "results.json"]


def test_a_symbolic_link_is_followed_and_stays(tmp_path):
    target = tmp_path / "elsewhere" / "results.json"
    link = tmp_path / "results.json"
    link.symlink_to(target)
    append_record(link, {"model": "a"})
    append_record(target, {"model": "b"})
    assert link.is_symlink()
    assert [one["model"] for one in read_records(target)] == ["a", "b"]


@pytest.mark.parametrize(
    "content", ["{}", "[", '"text"', "[1] 2", "no JSON", "[NaN]", "\xff", '[{"a": 1, "a": 2}]', " "]
)
def test_a_file_that_is_no_list_is_refused_and_not_touched(tmp_path, content, record):
    path = tmp_path / "results.json"
    path.write_text(content, encoding="latin-1")
    with pytest.raises(InvalidRecord, match=r"expected .*; move .*results\.json' away or store the records under"):
        append_record(path, record())
    assert path.read_text(encoding="latin-1") == content


def test_a_folder_in_the_files_place_is_refused(tmp_path, record):
    with pytest.raises(InvalidRecord, match="found a folder; move"):
        append_record(tmp_path, record())


@pytest.mark.parametrize(
    ("changes", "place"),
    [
        (
            {"results": {"Top 1 Accuracy": float("nan")}},
            "record.results.Top 1 Accuracy to be a finite number, found nan",
        ),
        ({"speed": {"seconds": [1.0, float("-inf")]}}, "record.speed.seconds[1] to be a finite number, found -inf"),
        (
            {"model": b"bytes"},
            "record.model to be text, a number, true, false, null, a list or an object, found b'bytes'",
        ),
        ({"environment": {1: "one"}}, "every key in record.environment to be text"),
        ({"samples": 2**63}, "record.samples to be an integer of 64 bits"),
        ({"model": "half \ud800"}, "record.model to be text"),
        ({"model": "nul \0"}, "record.model to be text"),
        ({"model": "x" * 20_001}, "record.model to be text of at most 20000 characters"),
    ],
)
def test_what_json_cannot_hold_is_refused_by_its_place_and_nothing_is_written(tmp_path, changes, place, record):
    with pytest.raises(InvalidRecord, match=re.escape(f"expected {place}")):
        append_record(tmp_path / "results.json", record(**changes))
    assert list(tmp_path.iterdir()) == []


def test_a_record_that_holds_itself_is_refused(tmp_path, record):
    endless = record()
    endless["environment"]["again"] = endless
    with pytest.raises(InvalidRecord, match="at most 16 deep"):
        append_record(tmp_path / "results.json", endless)


def test_looking_whether_a_record_can_be_appended_adds_nothing(tmp_path):
    check_appendable(tmp_path / "new" / "results.json", {"a": 1})
    assert not (tmp_path / "new" / "results.json").exists()
    append_record(tmp_path / "results.json", {"a": 1})
    check_appendable(tmp_path / "results.json", {"a": 2})
    assert read_records(tmp_path / "results.json") == [{"a": 1}]
    assert sorted(path.name for path in tmp_path.iterdir()) == [".results.json.lock", "new", "results.json"]


@pytest.mark.parametrize("content", ['{"a": 1}', '[{"a":'])
def test_a_file_that_takes_no_record_is_known_before(tmp_path, content):
    (tmp_path / "results.json").write_text(content)
    with pytest.raises(InvalidRecord, match="store the records under another name"):
        check_appendable(tmp_path / "results.json", {"a": 1})


def test_a_record_that_cannot_be_appended_is_known_before(tmp_path):
    with pytest.raises(InvalidRecord, match=r"record\.a to be a finite number"):
        check_appendable(tmp_path / "results.json", {"a": float("nan")})


def test_a_place_where_nothing_can_be_made_is_known_before(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(OSError, match="file"):
        check_appendable(tmp_path / "file" / "results.json", {"a": 1})
