"""A build's process writes what it likes into its record and its predictions. Each attack prints what stopped it."""

import hashlib
import json
import os
import zipfile
from types import SimpleNamespace

import numpy as np
import pytest
from conftest import IMAGES, seen

from benchrecord import read_predictions
from benchrecord.predictions_file import _to_bytes
from sotabench.server.benchmarks.models import DataCopy, Result
from sotabench.server.benchmarks.queries import current_results
from sotabench.server.benchmarks.scoring import carry_call, score_call
from sotabench.server.errors import Invalid, NotFound
from sotabench.server.repositories.models import Repository

pytestmark = pytest.mark.django_db

KEY = "a" * 64


@pytest.fixture
def refused(a_build, copy):
    """Scores what must be refused; the message, which tells no label and no image's own id."""

    def attack(record, path, **rest):
        with pytest.raises(Invalid) as caught:
            score_call(a_build(), record, path, **rest)
        message = str(caught.value)
        print(f"stopped: {message}")
        assert message.isprintable()
        assert "true-" not in message
        assert not Result.objects.exists()
        return message

    return attack


@pytest.fixture
def forged(answers, tmp_path):
    """A record whose predictions file holds arrays that no honest writer writes."""

    def written(**changes):
        record, path = answers()
        honest = read_predictions(path)
        names = ("ids", "classes", "log_probabilities", "log_sum_exp", "kind", "number_of_classes")
        arrays = {name: getattr(honest, name) for name in names}
        arrays = {name: value.copy() if isinstance(value, np.ndarray) else value for name, value in arrays.items()}
        arrays |= {name: change(arrays[name]) for name, change in changes.items()}
        return renamed(record, path, _to_bytes(SimpleNamespace(**arrays)))

    return written


def renamed(record, path, content):
    """The record, and the file with other content that it names rightly."""
    path.write_bytes(content)
    said = record["predictions"] | {"size": len(content), "sha256": hashlib.sha256(content).hexdigest()}
    return record | {"predictions": said}, path


def test_numbers_written_straight_into_the_record(score_answers):
    result = score_answers(4, results={"Top 1 Accuracy": 1.0, "Top 5 Accuracy": 1.0}, scored=IMAGES)
    print(f"stopped: it said 1.0, this site counted {result.rank_value}")
    assert result.rank_value == 0.1
    assert {figure.value for figure in result.figures.all()} == {0.1}


def test_numbers_without_any_predictions(refused, answers):
    record, path = answers(results={"Top 1 Accuracy": 1.0})
    assert "their file" in refused(record | {"predictions": None}, path)
    assert "their file" in refused(record, None)


def test_run_hash_of_a_better_run(score_answers, client):
    better = score_answers(IMAGES, run_hash="f" * 64, model="Better")
    copied = score_answers(2, run_hash="f" * 64, model="Copied", name="copied.npz")
    answer = client.get("/api/v0/check/get_results_by_hash/", {"run_hash": "f" * 64})
    print(f"stopped: nothing is looked up by a hash; it answers {answer.content!r}, scored are {copied.rank_value}")
    assert (better.rank_value, copied.rank_value) == (1.0, 0.05)
    assert answer.json() == {}


def test_predictions_for_other_images_or_too_few(refused, answers):
    names = [seen(place) for place in range(IMAGES)]
    values = np.zeros((IMAGES, 1000), np.float32)
    assert "1 of other images" in refused(*answers(ids=[*names[:-1], "ILSVRC2012_val_00049999"], values=values))
    assert "1 missing" in refused(*answers(ids=names[:-1], values=values[:-1]))
    assert "1 of other images" in refused(*answers(ids=[*names, "one-more"], values=np.zeros((41, 1000), np.float32)))
    assert "40 missing" in refused(*answers(ids=[f"true_{place:02d}" for place in range(IMAGES)], values=values))
    assert "40 missing" in refused(*answers(ids=[], values=values[:0]))


def test_predictions_for_one_image_twice(refused, forged):
    assert "every image once" in refused(*forged(ids=lambda ids: (*ids[:-1], ids[0])))


def test_one_class_five_times_and_classes_that_there_are_not(refused, forged):
    five_times = np.tile(np.arange(IMAGES, dtype=np.int16)[:, None] * 7, 5)
    assert "every class once" in refused(*forged(classes=lambda _: five_times))
    assert "classes of -1 to 999" in refused(*forged(classes=lambda classes: classes + 995))
    assert "descending order" in refused(*forged(log_probabilities=lambda values: values[:, ::-1]))
    assert "sum to at most 1" in refused(*forged(log_probabilities=lambda values: values * 0))


def test_task_with_fewer_classes(refused, answers):
    for classes in (1, 5, 200):
        record, path = answers(values=np.zeros((IMAGES, classes), np.float32))
        assert "all classes of the data set" in refused(record, path)


@pytest.mark.parametrize(
    "target_map",
    [
        [0] * 1000,
        [7] * 1000,
        list(range(999)),
        [*range(999), 0],
        [*range(998), 998.5, 999],
        [[0]] * 1000,
        {"0": 0},
        "x",
    ],
)
def test_target_map_that_joins_classes(refused, answers, target_map):
    assert "target_map" in refused(*answers(target_map=target_map))


def test_best_renumbering_for_a_constant_answer(score_answers):
    values = np.zeros((IMAGES, 1000), np.float32)
    values[:, 0] = 1
    result = score_answers(values=values, target_map=[(label - 7) % 1000 for label in range(1000)])
    print(f"stopped: a renumbering is one to one, so a constant answer is right about one class: {result.rank_value}")
    assert result.rank_value == 1 / IMAGES


@pytest.mark.parametrize(
    ("value", "right", "wrong_outputs"),
    [(np.nan, 0, IMAGES), (np.inf, 0, IMAGES), (-np.inf, 0, IMAGES), (0.0, 1, 0), (3e38, 1, 0), (1e-45, 1, 0)],
)
def test_outputs_that_are_no_answer_are_scored_as_they_are(score_answers, value, right, wrong_outputs):
    result = score_answers(values=np.full((IMAGES, 1000), value, np.float32))
    print(f"scored: all outputs {value}, {right} of {IMAGES} right, {wrong_outputs} not finite")
    assert result.rank_value == right / IMAGES
    assert f'"nonfinite": {wrong_outputs}' in result.record


@pytest.mark.parametrize("scale", [1e-42, 1e38])
def test_huge_and_tiny_outputs_that_are_right_are_right(score_answers, scale):
    values = np.zeros((IMAGES, 1000), np.float32)
    values[range(IMAGES), [7 * place for place in range(IMAGES)]] = scale
    assert score_answers(values=values).rank_value == 1.0


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"dataset_name": "CIFAR-10"}, "expected a benchmark whose images this site has"),
        ({"dataset_name": "ImageNet ReaL"}, "expected a benchmark whose images this site has"),
        ({"dataset_name": "ImageNet sample (40)"}, "expected a benchmark whose images this site has"),
        ({"task": "Object Detection"}, "expected a benchmark whose images this site has"),
        ({"dataset": {"fingerprint": "c" * 64}}, "expected the images of this site"),
        ({"environment": {"git": {"commit": "f" * 40}}}, "expected one of commit"),
        ({"check": "full"}, "one of a check"),
        ({"format": 2}, "the version that this software reads"),
        ({"declared": {"long": ["x" * 20_000] * 30}}, "a record of at most 524288 bytes"),
        ({"carried_over": True, "call_key": KEY}, "one of a call that ran"),
        ({"paper_results": {"Top 1 Accuracy": 79.3}}, "is it percent"),
        ({"paper_results": {"Prestige": 1.0}}, "expected paper_results named as on"),
        ({"results": {"Top 1 Accuracy": 2.0}}, "a fraction from 0 to 1"),
        ({"samples": 1 << 70}, "integer"),
    ],
)
def test_record_of_something_else(refused, answers, changes, message):
    assert message in refused(*answers(**changes))


def test_record_for_a_benchmark_whose_images_the_site_lacks(refused, answers):
    DataCopy.objects.all().delete()
    assert "(none)" in refused(*answers())


def nested(depth):
    value = "x"
    for _ in range(depth):
        value = [value]
    return value


@pytest.mark.parametrize(
    "changes",
    [
        {"environment": {"deep": nested(100_000)}},
        {"environment": {"wide": ["x" * 30_000]}},
        {"environment": {"nul\0": 1}},
        {"environment": {"half": "\ud800"}},
        {"environment": {"infinite": float("inf")}},
        {"environment": {"odd": object()}},
        {"model": "x" * 301},
        {"model": ["Net"]},
        {"task": "Image\nClassification"},
    ],
)
def test_record_that_would_choke_a_reader(refused, answers, changes):
    refused(*answers(**changes))


def test_file_with_another_digest_than_the_record_says(refused, answers):
    record, path = answers(4)
    _, better = answers(40, name="better.npz")
    assert "expected a predictions file of SHA-256" in refused(record, better)
    assert path.exists()


def test_predictions_as_link_fifo_second_name_folder_or_nothing(refused, answers, tmp_path):
    record, path = answers()
    secret = tmp_path / "hard.npz"
    os.link(path, secret)
    assert "2 hard links" in refused(record, path)
    secret.unlink()
    link = tmp_path / "link.npz"
    link.symlink_to(path)
    assert "symbolic link" in refused(record, link)
    os.mkfifo(tmp_path / "fifo.npz")
    assert "a FIFO" in refused(record, tmp_path / "fifo.npz")
    assert "a folder" in refused(record, tmp_path)
    assert "a device" in refused(record, type(path)("/dev/zero"))
    assert "No such file" in refused(record, tmp_path / "none.npz")


def test_sparse_file_of_a_terabyte(refused, answers):
    record, path = answers()
    with path.open("r+b") as file:
        file.truncate(1 << 40)
    assert "expected at most" in refused(record, path)


def test_bomb_of_zeros(refused, answers):
    record, path = answers()
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("format.npy", bytes(1 << 28))
    content = path.read_bytes()
    assert len(content) < 1 << 20
    refused(*renamed(record, path, content))


def test_arrays_of_objects_and_members_that_do_not_belong(refused, answers, tmp_path):
    record, path = answers()
    honest = path.read_bytes()
    np.savez(tmp_path / "objects.npz", ids=np.array([{"a": 1}], dtype=object))
    refused(*renamed(record, path, (tmp_path / "objects.npz").read_bytes()))
    refused(*renamed(record, path, honest + b"more"))
    refused(*renamed(record, path, honest[:-30]))
    refused(*renamed(record, path, b"PK\x05\x06" + bytes(18)))
    refused(*renamed(record, path, b""))


def test_key_of_a_better_call_in_the_same_build(a_build, answers, copy):
    build = a_build()
    better = score_call(build, *answers(40, model="Better"), call_key=KEY)
    again = score_call(build, *answers(1, model="Forged", name="forged.npz"), call_key=KEY)
    print("stopped: the call of this key is scored already, and is not scored again")
    assert again == better
    assert build.results.count() == 1


def test_key_of_a_call_of_somebody_else(a_build, answers, copy, bob):
    theirs = Repository.objects.create(host="github.com", owner_name="bob", name="nets", owner=bob)
    score_call(a_build(), *answers(40), call_key=KEY)
    earlier, later = a_build(theirs), a_build(theirs)
    with pytest.raises(NotFound) as caught:
        carry_call(later, KEY, earlier)
    print(f"stopped: {caught.value}")


def test_name_of_somebody_elses_model(a_build, answers, copy, vision, bob):
    theirs = score_call(a_build(), *answers(40, model="ResNet-50"))
    mine = Repository.objects.create(host="github.com", owner_name="bob", name="nets", owner=bob)
    score_call(a_build(mine), *answers(1, model="ResNet-50", name="mine.npz"))
    print("stopped: a result takes the place of its own repository's alone")
    assert list(current_results(vision)) == [theirs]


def test_keys_that_are_the_sites_to_write(score_answers, copy):
    result = score_answers(
        4,
        tier="verified",
        rank_value=1.0,
        benchmark=1,
        is_preview=False,
        carried_from=1,
        superseded_by=None,
        verified={"by": "this site"},
        dataset={"complete": True, "sealed": False, "version": "ILSVRC2012 validation", "samples": 50_000},
    )
    print("stopped: keys that are not declared are dropped, and the data set's facts are this site's")
    kept = json.loads(result.record)
    assert (
        not {"tier", "rank_value", "benchmark", "is_preview", "carried_from", "superseded_by", "verified"} & kept.keys()
    )
    assert (kept["dataset"]["complete"], kept["dataset"]["samples"], result.benchmark) == (False, 40, copy.benchmark)


def test_nothing_refused_leaves_anything_and_the_next_honest_call_is_scored(a_build, answers, copy):
    build = a_build()
    for changes in ({"target_map": [0] * 1000}, {"dataset_name": "CIFAR-10"}, {"check": "full"}):
        with pytest.raises(Invalid):
            score_call(build, *answers(**changes))
    assert score_call(build, *answers(20)).rank_value == 0.5
    assert build.results.count() == 1
