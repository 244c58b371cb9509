import json

import numpy as np
import pytest

from benchrecord import InvalidPredictions, InvalidRecord
from torchbench.errors import ArgumentError
from torchbench.reading.stored import read_stored

IDS = ["a", "b"]
OUTPUTS = np.eye(2, 7, dtype=np.float32)


@pytest.fixture
def two(store_model):
    store_model(IDS, OUTPUTS, "First")
    return store_model(IDS, OUTPUTS[::-1].copy(), "Second: v2", keep=True)


@pytest.mark.parametrize("choice", ["2", "Second: v2"])
def test_a_record_is_chosen_by_number_or_by_name(two, choice):
    stored = read_stored(f"{two}:{choice}")
    assert (stored.model, stored.number, stored.source) == ("Second: v2", 2, "results.json:2")
    assert stored.predictions.classes[:, 0].tolist() == [1, 0]
    assert stored.outputs().shape == (2, 7)


def test_the_only_record_needs_no_choice(store_model):
    assert read_stored(str(store_model(IDS, OUTPUTS))).number == 1


@pytest.mark.parametrize("choice", ["", ":0", ":3", ":Third", ":-1", ":"])
def test_a_choice_that_means_no_record_shows_those_that_there_are(two, choice):
    with pytest.raises(ArgumentError, match=r"2 records; .*results\.json:1 \(First\), results\.json:2 \(Second: v2\)"):
        read_stored(f"{two}{choice}")


def test_a_name_that_two_records_have_chooses_neither(two, store_model):
    store_model(IDS, OUTPUTS, "First")
    with pytest.raises(ArgumentError, match="expected one that 'First' means, found 2"):
        read_stored(f"{two}:First")


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(ArgumentError, match=r"found none at .*nowhere\.json:1"):
        read_stored(str(tmp_path / "nowhere.json:1"))


def test_a_colon_in_the_name_of_the_file_is_part_of_it(store_model):
    assert read_stored(str(store_model(IDS, OUTPUTS, file="a:1.json"))).number == 1


def test_predictions_that_were_changed_later_are_refused(two):
    file = two.with_name("0.npz")
    file.write_bytes(file.read_bytes() + b"\0")
    with pytest.raises(InvalidPredictions, match="SHA-256"):
        read_stored(f"{two}:1")


def test_outputs_that_were_not_copied_along_are_none_and_changed_ones_are_refused(two):
    file = two.with_name("1.npy")
    file.write_bytes(file.read_bytes()[:-1] + b"\1")
    with pytest.raises(InvalidPredictions, match="SHA-256"):
        read_stored(f"{two}:2").outputs()
    file.unlink()
    assert read_stored(f"{two}:2").outputs() is None


def test_what_is_no_record_is_refused(tmp_path):
    (tmp_path / "r.json").write_text(json.dumps([{"format": 1}]))
    with pytest.raises(InvalidRecord, match="expected the keys"):
        read_stored(str(tmp_path / "r.json"))


def test_names_are_shown_without_control_characters(store_model):
    assert read_stored(str(store_model(IDS, OUTPUTS, "\x1b[2J\u202eB"))).model == "\\x1b[2J\\u202eB"
