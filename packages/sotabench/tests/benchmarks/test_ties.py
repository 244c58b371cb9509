"""Our own models against each other on the same images; ties are groups."""

import numpy as np
import pytest

from benchrecord import PredictionsBuilder, mcnemar_p_value, write_predictions
from sotabench.server.benchmarks.labels import labels_of, set_labels
from sotabench.server.benchmarks.models import Benchmark, Result
from sotabench.server.benchmarks.records import record_of
from sotabench.server.benchmarks.ties import compare_results, tied_letters
from sotabench.server.errors import Invalid

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("benchmarks")]

IMAGES = 100


@pytest.fixture
def imagenet(benchmarks):
    """A benchmark of a hundred images, all of class 7."""
    benchmark = Benchmark.objects.get(dataset="ImageNet")
    benchmark.size = IMAGES
    benchmark.save()
    return benchmark


@pytest.fixture
def labels(imagenet):
    rows = "".join(f"image-{number},7\n" for number in range(IMAGES))
    set_labels(imagenet, f"id,class_index\n{rows}".encode())


@pytest.fixture
def submit_right(submit, record, tmp_path, imagenet):
    """Submit models that are right on the given images."""

    def submitted(*models, prefix="image", classes=1000, **fields):
        records, files = [], {}
        for number, right in enumerate(models):
            outputs = np.zeros((IMAGES, classes), np.float32)
            outputs[:, 3] = 1
            outputs[list(right), min(7, classes - 1)] = 2
            builder = PredictionsBuilder(classes)
            builder.add([f"{prefix}-{row}" for row in range(IMAGES)], outputs)
            path = tmp_path / f"{prefix}-{number}.npz"
            facts = write_predictions(path, builder.finish())
            files[path.name] = path
            said = {"name": path.name, "size": facts.size, "sha256": facts.sha256}
            results = {"Top 1 Accuracy": len(right) / IMAGES}
            records.append(
                record(model=f"Net {number}", samples=IMAGES, dataset=None, predictions=said, results=results, **fields)
            )
        return submit(*records, files=files)

    return submitted


@pytest.mark.usefixtures("labels")
def test_models_that_cannot_be_told_apart_share_a_letter(submit_right):
    best, close, worst = submit_right(range(90), range(1, 90), range(40))
    assert tied_letters([worst, best, close]) == {best.pk: ("a",), close.pk: ("a",), worst.pk: ("b",)}


@pytest.mark.usefixtures("labels")
def test_two_models_are_compared_image_by_image(submit_right):
    first, second = submit_right(range(90), range(40, 95))
    comparison = compare_results(first, second)
    assert (comparison.only_first, comparison.only_second, comparison.both) == (40, 5, 50)
    assert comparison.p_value == mcnemar_p_value(40, 5)


@pytest.mark.usefixtures("labels")
def test_answer_is_remembered_and_asks_no_file_again(submit_right):
    results = submit_right(range(90), range(40))
    letters = tied_letters(results)
    for result in results:
        result.predictions.storage.delete(result.predictions.name)
    assert tied_letters(results) == letters


def test_without_labels_nothing_is_said(submit_right):
    first, second = submit_right(range(90), range(40))
    assert tied_letters([first, second]) == {}
    assert compare_results(first, second) is None


@pytest.mark.usefixtures("labels")
def test_predictions_of_other_images_are_left_out(submit_right):
    other, first = *submit_right(range(90), prefix="picture"), *submit_right(range(80))
    assert tied_letters([other, first]) == {}
    assert compare_results(other, first) is None


@pytest.mark.parametrize(
    "content",
    [
        b"", b"id,class\na,1\n", b"id,class_index\na,x\n", b"id,class_index\na,-1\n", b"id,class_index\na,1\na,1\n",
        b"id,class_index\n,1\n", b"id,class_index\na\n", b"\xff\xfe", b"id,class_index\na,1\n",
    ],
)  # fmt: skip
def test_labels_that_are_none_or_too_few_are_refused(imagenet, content):
    with pytest.raises(Invalid):
        set_labels(imagenet, content)
    assert labels_of(imagenet) is None


@pytest.mark.usefixtures("labels")
def test_predictions_that_no_label_fits_are_compared_with_nothing(submit_right, monkeypatch):
    """The images are the labelled ones, the classes are others: a target_map may say so, or the file alone."""
    good, other = submit_right(range(90), range(80))
    (few,) = submit_right(range(50), classes=6)
    assert tied_letters([few, good, other]) == {good.pk: ("a",), other.pk: ("b",)}
    Result.objects.filter(pk=few.pk).update(record=few.record.replace('"format"', '"target_map": [], "format"'))
    few.refresh_from_db()
    assert record_of(few)["target_map"] == []
    assert compare_results(few, good) is None
    assert tied_letters([few, good, other]) == {good.pk: ("a",), other.pk: ("b",)}


@pytest.mark.parametrize("mapped", [[], [1, 0], [*range(1001)]], ids=len)
def test_target_map_over_other_classes_than_those_of_the_predictions_is_refused(submit_right, mapped):
    with pytest.raises(Invalid, match=f"expected a target_map over its 1000 classes, found {len(mapped)}"):
        submit_right(range(90), target_map=mapped)
