import json

import numpy as np
import pytest
from scipy.stats import binomtest

from benchrecord import InvalidPredictions, wilson_interval
from torchbench.__main__ import main
from torchbench.errors import ArgumentError
from torchbench.reading.known import BENCHMARKS, known_answers
from torchbench.reading.stored import read_stored
from torchbench.reading.versus import lines_of, versus

pytestmark = pytest.mark.usefixtures("environment")


@pytest.fixture
def pair(store_model, official):
    """Two models on 200 official images, and who was right: `(2, 200)`."""
    right = []
    for seed, share in ((1, 0.7), (2, 0.4)):
        ids, labels, outputs = official(200, seed, share)
        path = store_model(ids, outputs, f"Model {seed}")
        right.append(outputs.argmax(axis=1) == labels)
    return path, np.array(right)


def compared(path, **options):
    return versus(read_stored(f"{path}:1"), read_stored(f"{path}:2"), None, **options)


def test_counts_and_p_value_are_those_of_a_plain_computation(pair):
    path, (first, second) = pair
    found = compared(path).to_dict()
    only = int((first & ~second).sum()), int((second & ~first).sum())
    assert (found["both"], found["neither"]) == (int((first & second).sum()), int((~first & ~second).sum()))
    assert (found["only_first"], found["only_second"]) == only
    assert found["difference"] == pytest.approx(first.mean() - second.mean())
    assert found["p_value"] == pytest.approx(binomtest(only[0], sum(only)).pvalue, rel=1e-8)
    assert found["difference_interval"][0] < found["difference"] < found["difference_interval"][1]
    assert found["tie"] is False
    assert found["models"][0]["intervals"]["Top 1 Accuracy"] == wilson_interval(int(first.sum()), 200)


def test_json_is_for_programs_and_words_are_for_people(pair, capsys):
    path, _ = pair
    assert main(["compare", f"{path}:1", f"{path}:Model 2", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found == json.loads(json.dumps(compared(path).to_dict()))
    assert main(["compare", f"{path}:1", f"{path}:2"]) == 0
    words = capsys.readouterr().out
    assert "A: Model 1 (results.json:1)" in words
    assert "200 of 50,000 images: a subset, not comparable with published figures" in words
    assert "Not a tie: A is better than chance explains (p < 0.05)." in words
    assert words.isascii()


def test_a_model_and_itself_are_a_tie(pair):
    path, _ = pair
    same = versus(read_stored(f"{path}:1"), read_stored(f"{path}:1"), None)
    assert (same.tie, same.counts.p_value, same.interval) == (True, 1.0, (0.0, 0.0))
    assert lines_of(same)[-1] == (
        "A statistical tie: equally good models would differ this much or more in 100% of all cases."
    )


def test_top_5_may_be_compared_in_place_of_top_1(pair):
    path, _ = pair
    found = compared(path, top=5)
    assert found.metric == "Top 5 Accuracy"
    assert found.counts.both + found.counts.only_first == found.scores[0].correct["Top 5 Accuracy"]


def test_each_model_is_scored_through_its_own_target_map(store_model, official):
    ids, _, outputs = official(50)
    store_model(ids, outputs)
    path = store_model(ids, outputs[:, ::-1].copy(), target_map=list(range(999, -1, -1)))
    counts = compared(path).counts
    assert counts.both > 0
    assert counts.only_first == counts.only_second == 0


def test_different_images_are_an_error_that_names_them(store_model, official):
    ids, _, outputs = official(10)
    store_model(ids, outputs)
    path = store_model(ids[1:], outputs[1:])
    with pytest.raises(InvalidPredictions, match=r"1 missing from the second \(such as 'ILSVRC2012_val_00000001'\)"):
        compared(path)


def test_records_of_two_benchmarks_are_not_compared(store_model, official):
    ids, _, outputs = official(10)
    store_model(ids, outputs)
    path = store_model(ids, outputs, dataset_name="CIFAR-10")
    with pytest.raises(ArgumentError, match="expected two records of one benchmark, found ImageNet and CIFAR-10"):
        compared(path)


@pytest.mark.parametrize(("prints", "said"), [("ab", True), ("aa", False), (["a", None], False)])
def test_different_fingerprints_are_said(store_model, official, prints, said):
    ids, _, outputs = official(10)
    for fingerprint in prints:
        path = store_model(ids, outputs, dataset={"fingerprint": fingerprint})
    assert any("fingerprints in the records differ" in line for line in lines_of(compared(path))) is said


def test_data_at_hand_give_the_labels(few_images, store_model):
    ids = [f"photograph_{number:08d}" for number in range(1, 16)]
    outputs = np.zeros((15, 1000))
    outputs[np.arange(15), np.repeat(np.arange(5), 3)] = 1
    path = store_model(ids, outputs)
    store_model(ids, np.zeros((15, 1000)))
    found = versus(read_stored(f"{path}:1"), read_stored(f"{path}:2"), few_images).counts
    assert (found.both, found.only_first, found.only_second, found.neither) == (3, 12, 0, 0)
    with pytest.raises(ArgumentError, match="give --data-root: 15 of 15 images do not have one of ImageNet's official"):
        compared(path)


def test_images_that_are_not_at_hand_are_named(few_images, store_model, official):
    ids, _, outputs = official(3)
    with pytest.raises(ArgumentError, match="found 3 of 3 missing there: ILSVRC2012_val_00000001"):
        known_answers("ImageNet", read_stored(str(store_model(ids, outputs))).predictions, few_images)


@pytest.mark.parametrize("name", ["No such set", "CIFAR-10"])
def test_labels_that_cannot_be_known_are_an_error(store_model, official, name):
    ids, _, outputs = official(3)
    message = "labels of CIFAR-10 come with its data" if name in BENCHMARKS else f"found one of '{name}'"
    with pytest.raises(ArgumentError, match=message):
        known_answers(name, read_stored(str(store_model(ids, outputs))).predictions, None)


@pytest.mark.parametrize("words", [["compare", "nowhere.json", "nowhere.json"], ["report", "nowhere.json:2"]])
def test_a_mistake_of_the_user_is_one_line_and_exit_code_1(words, capsys):
    assert main(words) == 1
    assert capsys.readouterr().err.count("\n") == 1
