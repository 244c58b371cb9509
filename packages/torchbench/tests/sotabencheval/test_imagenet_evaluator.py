import math

import numpy as np
import pytest
import torch

from benchrecord import read_predictions, read_records, score, validate_record
from sotabencheval.image_classification import ImageNetEvaluator
from sotabencheval.image_classification.images import by_number
from torchbench.errors import ArgumentError, BrokenImage, DataNotFound, OutputError
from torchbench.image_classification import ImageNet

pytestmark = pytest.mark.usefixtures("environment")
# The classes of validation images 1 to 10, from the devkit's ground truth by way of its list of synsets.
FIRST_TEN = [65, 970, 230, 809, 516, 57, 334, 415, 674, 332]


def number(image):
    return f"ILSVRC2012_val_{image:08d}"


def ids_in(root):
    return [path.stem for path in sorted(root.glob("val/*/*"))]


def outputs_with_everything(dtype):
    """Ties, NaN, infinity and ordinary rows for 15 images."""
    outputs = torch.randn(15, 1000, generator=torch.Generator().manual_seed(3)).mul(4).to(dtype)
    outputs[1] = 0
    outputs[4, 1:9] = outputs[4].max()
    outputs[6, 500], outputs[10, 3] = math.nan, math.inf
    outputs[12, 4] = 99
    return outputs


class Replay:
    """Answers the images in turn, so that both ways see the very same outputs."""

    def __init__(self, outputs):
        self.outputs, self.at = outputs, 0

    def forward(self, images):
        self.at += len(images)
        return self.outputs[self.at - len(images) : self.at]


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16, torch.float64])
def test_results_are_those_of_benchmark_on_the_same_outputs(few_images, environment, tmp_path, dtype):
    environment(SOTABENCH_STORE_FILENAME=tmp_path / "results.json")
    outputs = outputs_with_everything(dtype)
    paper = {"Top 1 Accuracy": 0.5}
    expected = ImageNet.benchmark(Replay(outputs), data_root=few_images, batch_size=4, paper_results=paper)
    evaluator = ImageNetEvaluator(root=few_images, paper_results=paper)
    for start in range(0, 15, 4):
        evaluator.add(dict(zip(ids_in(few_images)[start : start + 4], outputs[start : start + 4], strict=True)))
    assert evaluator.get_results() == expected.results
    found = evaluator.save()
    for key in ("results", "correct", "intervals", "paper", "nonfinite", "samples", "run_hash", "dataset"):
        assert found.record[key] == expected.record[key], key
    assert found.record["nonfinite"] == 2
    first, second = (
        read_predictions(tmp_path / record["predictions"]["name"]) for record in read_records(tmp_path / "results.json")
    )
    assert first.ids == second.ids
    assert np.array_equal(first.classes, second.classes)
    assert np.array_equal(first.log_probabilities, second.log_probabilities)


def test_neither_order_nor_batches_change_a_count(few_images):
    outputs, ids = outputs_with_everything(torch.float32), ids_in(few_images)
    rows = np.random.default_rng(0).permutation(15).tolist()
    counts = []
    for order, size in ((range(15), 15), (rows, 1), (rows, 7)):
        evaluator = ImageNetEvaluator(root=few_images)
        for start in range(0, 15, size):
            chosen = list(order)[start : start + size]
            evaluator.add([ids[row] for row in chosen], outputs[chosen])
        counts.append(evaluator.save().record["correct"])
    assert counts[0] == counts[1] == counts[2]


def test_without_images_the_official_numbers_tell_the_class(tmp_path, capsys):
    evaluator = ImageNetEvaluator(root=tmp_path)
    outputs = np.zeros((10, 1000), np.float32)
    outputs[np.arange(10), FIRST_TEN] = 1
    outputs[8:] = -outputs[8:]  # the right class is now the last of all
    evaluator.add([f"val/{number(image)}.JPEG" for image in range(1, 11)], outputs)
    assert evaluator.get_results() == {"Top 1 Accuracy": 0.8, "Top 5 Accuracy": 0.8}
    shown = capsys.readouterr().out
    assert f"49,990 of 50,000 images have no output: {number(11)}, {number(12)}, {number(13)} and 49,987 more" in shown
    facts = evaluator.save().record["dataset"]
    assert (facts["complete"], facts["samples"], facts["fingerprint"]) == (False, 10, None)
    assert "a SUBSET of 10 of 50,000 images" in capsys.readouterr().out


def test_all_fifty_thousand_numbers_are_the_whole_set(tmp_path, capsys):
    evaluator = ImageNetEvaluator(root=tmp_path)
    outputs = np.zeros((5_000, 1000), np.float16)  # every answer is class 0, and the five best are 0 to 4
    for start in range(1, 50_001, 5_000):
        evaluator.add([number(image) for image in range(start, start + 5_000)], outputs)
    assert evaluator.save().results == {"Top 1 Accuracy": 50 / 50_000, "Top 5 Accuracy": 250 / 50_000}
    assert "all 50,000 images" in capsys.readouterr().out


def test_the_archive_is_left_as_it_is(tmp_path):
    (tmp_path / "ILSVRC2012_img_val.tar").write_bytes(b"read by the file itself")
    ImageNetEvaluator(root=tmp_path).add([number(1)], np.eye(1, 1000))
    assert [path.name for path in tmp_path.iterdir() if path.name != "cache"] == ["ILSVRC2012_img_val.tar"]


def test_some_of_the_images_are_called_a_subset_without_a_fingerprint(few_images):
    evaluator = ImageNetEvaluator(root=few_images)
    evaluator.add(ids_in(few_images)[:4], torch.eye(4, 1000))
    result = evaluator.save()
    assert (result.record["samples"], result.record["dataset"]["fingerprint"]) == (4, None)
    assert result.record["dataset"]["complete"] is False
    assert any("11 of 15 images have no output" in note for note in result.notes)


def test_an_image_that_comes_again_with_the_same_answer_counts_once(few_images):
    outputs, ids = torch.eye(15, 1000), ids_in(few_images)
    evaluator = ImageNetEvaluator(root=few_images)
    evaluator.add(ids, outputs)
    evaluator.add([ids[0], ids[1]], outputs[:2] * 2)
    result = evaluator.save()
    assert result.record["samples"] == 15
    assert any("2 outputs were for images that had one already" in note for note in result.notes)


def test_an_image_that_comes_again_with_another_answer_is_named_and_nothing_is_taken(few_images):
    outputs, ids = torch.eye(15, 1000), ids_in(few_images)
    evaluator = ImageNetEvaluator(root=few_images)
    evaluator.add(ids[:3], outputs[:3])
    with pytest.raises(ArgumentError, match=f"expected every image once, got 1 again with other .*: {ids[0]};"):
        evaluator.add([ids[3], f"val/{ids[0]}.JPEG"], outputs[3:5])
    with pytest.raises(ArgumentError, match=f"got 1 again .*: {ids[3]};"):
        evaluator.add([ids[3], f"val/{ids[3]}.JPEG"], outputs[3:5])
    evaluator.add(ids[3:], outputs[3:])
    assert evaluator.save().record["samples"] == 15


def test_an_unknown_image_is_named_and_nothing_is_taken(few_images):
    evaluator = ImageNetEvaluator(root=few_images)
    with pytest.raises(ArgumentError, match=r"got 1 of 2 that are none: 'ILSVRC2012_val_00000293'"):
        evaluator.add([ids_in(few_images)[0], number(293)], torch.eye(2, 1000))
    with pytest.raises(ArgumentError, match="expected outputs before results, got none"):
        evaluator.get_results()


def test_wrong_outputs_are_refused_as_they_come(few_images):
    evaluator = ImageNetEvaluator(root=few_images)
    with pytest.raises(OutputError, match=f"expected 1,000 outputs for '{ids_in(few_images)[0]}', got shape"):
        evaluator.add({ids_in(few_images)[0]: np.zeros(10)})


def test_broken_images_are_said_before_the_loop_begins(few_images):
    broken = next(few_images.glob("val/*/*"))
    broken.write_bytes(broken.read_bytes()[:300])
    with pytest.raises(BrokenImage, match=broken.name):
        ImageNetEvaluator(root=few_images)


def test_a_sealed_run_shows_no_figure_and_keeps_the_predictions(few_images, environment, tmp_path, capfd):
    environment(SOTABENCH_SEALED=1, SOTABENCH_SERVER="true", SOTABENCH_DATA_ROOT=few_images)
    environment(SOTABENCH_STORE_FILENAME=tmp_path / "results.json")
    evaluator = ImageNetEvaluator(root="/nowhere", paper_results={"Top 1 Accuracy": 0.5})
    evaluator.add(ids_in(few_images), torch.eye(15, 1000))
    assert not evaluator.cache_exists
    assert all(math.isnan(value) for value in evaluator.get_results().values())
    result = evaluator.save()
    (record,) = read_records(tmp_path / "results.json")
    validate_record(record)
    assert (result.results, record["results"], record["paper"], "correct" in record) == ({}, {}, {}, False)
    predictions = read_predictions(tmp_path / record["predictions"]["name"])
    labels = {name: row // 3 for row, name in enumerate(ids_in(few_images))}
    assert score(predictions, labels).correct["Top 1 Accuracy"] == 1
    shown = "".join(capfd.readouterr())
    assert "scored by the platform" in shown
    assert "guessing" not in shown


def test_a_sealed_run_without_images_needs_no_labels(tmp_path, environment):
    environment(SOTABENCH_SEALED=1)
    evaluator = ImageNetEvaluator(root=tmp_path)
    evaluator.add([number(50_000)], np.eye(1, 1000))
    assert evaluator.save().record["dataset"]["sealed"] is True


@pytest.mark.parametrize(("check", "samples"), [("full", 4), ("params", 0)])
def test_a_check_stops_the_loop_after_one_batch_and_scores_nothing(few_images, environment, check, samples, capsys):
    environment(SOTABENCH_CHECK=check)
    root = few_images if check == "full" else "/nowhere"
    evaluator = ImageNetEvaluator(root=root, paper_arxiv_id="1611.05431")
    assert not evaluator.cache_exists
    evaluator.add(ids_in(few_images)[:4], torch.eye(4, 1000))
    assert evaluator.cache_exists
    assert set(evaluator.get_results()) == {"Top 1 Accuracy", "Top 5 Accuracy"}
    result = evaluator.save()
    assert (result.results, result.record["samples"], result.record["check"]) == ({}, samples, check)
    shown = capsys.readouterr().out
    assert "checked, not scored" in shown
    assert "have no output" not in shown
    with pytest.raises(ArgumentError, match="expected paper_arxiv_id like"):
        ImageNetEvaluator(root=root, paper_arxiv_id="ResNeXt")


def test_it_is_saved_once(few_images, environment, tmp_path, capsys):
    environment(SOTABENCH_STORE_FILENAME=tmp_path / "results.json")
    evaluator = ImageNetEvaluator(few_images, "A", model_description="of a loop")
    evaluator.add(ids_in(few_images), torch.eye(15, 1000))
    assert evaluator.save() is evaluator.save()
    assert "nothing is written again" in capsys.readouterr().out
    (record,) = read_records(tmp_path / "results.json")
    validate_record(record)
    assert (record["model"], record["model_description"]) == ("A", "of a loop")
    with pytest.raises(ArgumentError, match="make a new ImageNetEvaluator"):
        evaluator.add(ids_in(few_images), torch.eye(15, 1000))


def test_speed_is_of_the_images_since_the_time_was_reset(few_images):
    evaluator = ImageNetEvaluator(root=few_images)
    evaluator.add(ids_in(few_images)[:5], torch.eye(5, 1000))
    evaluator.reset_time()
    evaluator.add(ids_in(few_images)[5:], torch.eye(10, 1000))
    result = evaluator.save()
    seconds = result.record["speed"]["seconds"]
    assert set(seconds) == {"loop", "scoring"}
    assert result.record["speed"]["samples_per_second"] == pytest.approx(10 / sum(seconds.values()))
    assert evaluator.speed_mem_metrics == result.speed_mem_metrics
    assert result.record["model_facts"] == result.record["transform"] == {}  # nothing is known of either
    assert ("device" in result.record["environment"]) == torch.cuda.is_available()


def test_nothing_added_is_no_batch(few_images):
    evaluator = ImageNetEvaluator(root=few_images)
    evaluator.add({})
    with pytest.raises(ArgumentError, match="got none"):
        evaluator.save()


def test_a_class_order_that_is_shifted_is_named(few_images):
    evaluator = ImageNetEvaluator(root=few_images)
    outputs = torch.zeros(15, 1000)
    outputs[torch.arange(15), torch.arange(15) // 3 + 1] = 1
    evaluator.add(ids_in(few_images), outputs)
    assert any("begin with a class more than they should" in note for note in evaluator.save().notes)


def test_neither_images_nor_labels_is_said(tmp_path):
    with pytest.raises(DataNotFound, match="labels is not part of this installation; pass the folder"):
        by_number(tmp_path, sealed=False, table=tmp_path / "left out.npy")
