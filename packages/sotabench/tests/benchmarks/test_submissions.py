"""Records come in as self-reported results: all of a submission or none."""

import hashlib
import json

import numpy as np
import pytest
from conftest import COMMIT

from benchrecord import PredictionsBuilder, wilson_interval, write_predictions
from sotabench.server.benchmarks import submissions
from sotabench.server.benchmarks.models import Benchmark, Result, Tier
from sotabench.server.builds.models import Build
from sotabench.server.errors import Conflict, Forbidden, Invalid
from sotabench.server.repositories.models import Repository

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("benchmarks")]


@pytest.fixture
def predictions(tmp_path):
    """A predictions file of `count` images, and what a record says of it."""

    def written(name, count=3):
        builder = PredictionsBuilder(1000)
        builder.add(
            [f"image-{row}" for row in range(count)],
            np.random.default_rng(count).normal(size=(count, 1000)).astype("f4"),
        )
        facts = write_predictions(tmp_path / name, builder.finish())
        return tmp_path / name, {"name": facts.name, "size": facts.size, "sha256": facts.sha256}

    return written


def test_submission_is_a_finished_build_with_a_self_reported_result_a_record(submit, record, vision, commit):
    (result,) = submit(record())
    build = Build.objects.get()
    assert (build.repository, build.number, build.commit) == (vision, 1, commit)
    assert (build.status, build.origin) == ("finished", "submitted")
    assert (result.tier, result.rank_value, result.samples) == (Tier.SELF_REPORTED, 0.79312, 50_000)
    assert (result.benchmark.slug, result.arxiv_id) == ("image-classification-on-imagenet", "1611.05431")
    assert json.loads(result.record) == record()


def test_every_figure_has_its_own_tier_and_accuracies_their_interval(submit, record):
    (result,) = submit(record())
    figures = {figure.name: figure for figure in result.figures.all()}
    assert {name: figure.tier for name, figure in figures.items()} == {
        "Top 1 Accuracy": "self-reported",
        "Top 5 Accuracy": "self-reported",
        "Parameters": "declared",
        "MACs": "declared",
        "Samples per Second": "declared",
    }
    top1 = figures["Top 1 Accuracy"]
    assert (top1.low, top1.high) == wilson_interval(39_656, 50_000)
    assert figures["Samples per Second"].condition == "A Processor / float32 / batch 128"
    assert figures["Parameters"].low is None


def test_accuracy_that_no_count_of_images_gives_has_no_interval(submit, record):
    (result,) = submit(record(results={"Top 1 Accuracy": 0.7931234}))
    assert result.figures.get(name="Top 1 Accuracy").low is None


def test_one_bad_record_keeps_all_out(submit, record):
    with pytest.raises(Invalid, match=r"record 1: .*Top 1 Accuracy"):
        submit(record(), record(results={"Top 1 Accuracy": 79.3}))
    assert not Build.objects.exists()
    assert not Result.objects.exists()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"task": "Object Detection"}, "expected a benchmark of this site"),
        ({"results": {"Accuracy": 0.5}}, "found none named Top 1 Accuracy"),
        ({"paper_results": {"Top-1": 0.5}}, "expected paper_results named as on"),
        ({"paper_results": {"Top 1 Accuracy": 79.3}}, "percent"),
        ({"environment": {"git": {"commit": "f" * 40}}}, "expected one of commit 0123"),
        ({"format": 2}, "the version that this software reads"),
        ({"declared": {"long": ["x" * 20_000] * 30}}, "record 0: expected a record of at most 524288 bytes, found 60"),
    ],
)
def test_record_that_cannot_be_published_is_refused_with_the_reason(submit, record, changes, message):
    with pytest.raises(Invalid, match=message):
        submit(record(**changes))
    assert not Build.objects.exists()


@pytest.mark.parametrize(
    "content", [b"", b"[]", b"{}", b"[1]", b"[" * 50, b'[{"a": NaN}]', b"\xff", b"[null]", b'[{"a":1,"a":2}]']
)
def test_content_that_is_no_list_of_records_is_refused(submit, content):
    with pytest.raises(Invalid):
        submit(content=content)


def test_same_record_twice_is_refused(submit, record):
    with pytest.raises(Invalid, match="expected every record once"):
        submit(record(), record())


@pytest.mark.parametrize("commit", ["", "main", "0123456", "0" * 41, "G" * 40])
def test_commit_is_named_in_full(submit, record, commit):
    with pytest.raises(Invalid, match="expected a commit"):
        submit(record(), commit=commit)


def test_somebody_elses_repository_takes_no_results(submit, record, bob):
    with pytest.raises(Forbidden):
        submit(record(), user=bob)


def test_later_result_supersedes_the_earlier_and_changes_nothing_else_of_it(submit, record):
    (first,) = submit(record())
    before = Result.objects.values().get(pk=first.pk)
    (second,) = submit(record(results={"Top 1 Accuracy": 0.8}))
    after = Result.objects.values().get(pk=first.pk)
    assert after == before | {"superseded_by_id": second.pk}
    assert second.superseded_by is None


def test_two_results_of_one_name_in_one_submission_both_stay(submit, record):
    first, second = submit(record(), record(results={"Top 1 Accuracy": 0.8}))
    assert first.superseded_by is None
    assert second.superseded_by is None


def test_verified_result_is_not_superseded_by_a_self_reported_one(submit, record):
    (first,) = submit(record())
    Result.objects.filter(pk=first.pk).update(tier=Tier.VERIFIED)
    submit(record(results={"Top 1 Accuracy": 0.9}))
    first.refresh_from_db()
    assert first.superseded_by is None


PART = {"name": "ImageNet", "fingerprint": "b" * 64, "samples": 20, "size": 50_000, "complete": False}


def test_part_of_the_images_is_a_benchmark_of_its_own(submit, record):
    (result,) = submit(record(samples=20, dataset=PART, results={"Top 1 Accuracy": 0.75}))
    benchmark = result.benchmark
    assert (benchmark.dataset, benchmark.slug) == (
        "ImageNet sample (20)", "image-classification-on-imagenet-sample-20",
    )  # fmt: skip
    assert benchmark.variant_of.slug == "image-classification-on-imagenet"
    assert benchmark.why_variant == "a part of the data: 20 of 50,000 images"
    assert not benchmark.is_listed
    assert [metric.name for metric in benchmark.metrics.all()] == ["Top 1 Accuracy", "Top 5 Accuracy"]


def test_same_part_is_one_benchmark_and_another_part_of_that_size_another(submit, record):
    part = record(samples=20, dataset=PART)
    other = record(samples=20, dataset=PART | {"fingerprint": "c" * 64})
    (first,), (again,), (second,) = submit(part), submit(part), submit(other)
    assert first.benchmark == again.benchmark != second.benchmark
    assert second.benchmark.slug == "image-classification-on-imagenet-sample-20-cccccccccccc"


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"samples": 49_999}, "a part of the data: 49,999 of 50,000 images"),
        ({"dataset": {"samples": 50_000, "complete": False}}, "a part of the data: 50,000 of 50,000 images"),
        ({"dataset": {"samples": 50_000, "version": "v2"}}, "another version of the data: v2"),
        ({"samples": None, "dataset": None}, "it is not stated which images they were"),
    ],
)
def test_result_that_is_not_on_the_whole_set_says_why(submit, record, changes, why):
    (result,) = submit(record(**changes))
    assert result.benchmark.why_variant == why


def test_other_images_than_the_sites_are_another_benchmark(submit, record):
    Benchmark.objects.filter(dataset="ImageNet").update(fingerprint="d" * 64)
    (result,) = submit(record())
    assert result.benchmark.why_variant == "other images than this site's"


def test_predictions_file_is_kept_under_its_digest(submit, record, predictions):
    path, facts = predictions("run-1.npz")
    (result,) = submit(record(samples=3, predictions=facts), files={"run-1.npz": path})
    assert result.predictions_sha256 == facts["sha256"]
    with result.predictions.open("rb") as file:
        assert hashlib.sha256(file.read()).hexdigest() == facts["sha256"]


def test_predictions_alone_are_accepted_and_rank_nowhere_until_scored(submit, record, predictions):
    path, facts = predictions("run-1.npz")
    (result,) = submit(record(samples=3, results={}, predictions=facts), files={"run-1.npz": path})
    assert result.rank_value is None


def test_predictions_file_that_is_not_what_the_record_says_is_refused(submit, record, predictions):
    path, facts = predictions("run-1.npz")
    with pytest.raises(Invalid, match="expected a predictions file of SHA-256"):
        submit(record(samples=3, predictions=facts | {"sha256": "0" * 64}), files={"run-1.npz": path})
    with pytest.raises(Invalid, match="expected 4 predictions, found 3"):
        submit(record(samples=4, predictions=facts), files={"run-1.npz": path})
    with pytest.raises(Invalid, match="expected files that a record names"):
        submit(record(samples=3), files={"run-1.npz": path})
    assert not Build.objects.exists()


@pytest.mark.parametrize(
    ("changes", "rest"),
    [
        ({"task": "Object Detection"}, {}),
        ({"results": {"Accuracy": 0.5}}, {}),
        ({"paper_results": {"Top-1": 0.5}}, {}),
        ({"samples": 20, "dataset": PART, "results": {"Accuracy": 0.5}}, {}),
        ({"samples": 4}, {}),
        ({}, {"commit": "main"}),
        ({}, {"commit": "f" * 40}),
    ],
)
def test_refused_submission_leaves_no_file(settings, tmp_path, submit, record, predictions, changes, rest):
    """What is kept but belongs to no result counts as nobody's: refused a thousand times, it would fill the disk."""
    settings.MEDIA_ROOT = tmp_path / "media"
    named = [predictions(f"run-{count}.npz", count) for count in (2, 3)]
    good, other = (record(samples=count, predictions=facts) for count, (_, facts) in zip((2, 3), named, strict=True))
    bad = other | {"environment": {"git": {"commit": COMMIT}}} | changes
    with pytest.raises(Invalid):
        submit(good, bad, files={path.name: path for path, _ in named}, **rest)
    assert not [path for path in settings.MEDIA_ROOT.rglob("*") if path.is_file()]


def test_names_of_strangers_are_stored_harmless(submit, record):
    (result,) = submit(record(model="Net\x1b[31m\u202e"))
    assert result.model_name == r"Net\x1b[31m\u202e"
    (nameless,) = submit(record(model=None))
    assert nameless.model_name == "unnamed model"


def test_user_submits_only_so_many_bytes_of_all_repositories_together(submit, record, monkeypatch, ada):
    other = Repository.objects.create(host="github.com", owner_name="ada", name="other", owner=ada)
    (first,) = submit(record(model="A"))
    assert first.stored_bytes == len(first.record.encode())
    content = len(json.dumps([record(model="B")]).encode())
    monkeypatch.setattr(submissions, "MOST_BYTES_A_USER", first.stored_bytes + content)
    submit(record(model="B"))
    with pytest.raises(Conflict, match=r"expected at most \d+ more bytes of ada's results, found"):
        submit(record(model="C"), repository=other)
    Result.objects.update(tier="verified")
    submit(record(model="C"), repository=other)
