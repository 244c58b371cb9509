"""Builds are scored by the site, by its own labels; what they said themselves is not kept."""

import json

import numpy as np
import pytest

from benchrecord import read_predictions, wilson_interval
from sotabench.server.benchmarks.models import Result, Tier
from sotabench.server.benchmarks.queries import current_results, leaderboard
from sotabench.server.benchmarks.scoring import carry_call, carry_over, score_call
from sotabench.server.benchmarks.ties import compare_results, tied_letters
from sotabench.server.errors import Invalid, NotFound
from sotabench.server.repositories.models import Repository

pytestmark = pytest.mark.django_db

KEY, OTHER_KEY = "a" * 64, "b" * 64


def figures(result):
    return {figure.name: (figure.value, figure.tier) for figure in result.figures.all()}


def test_figures_are_counted_with_the_sites_labels(score_answers, copy):
    result = score_answers(30)
    assert figures(result) == {"Top 1 Accuracy": (0.75, Tier.VERIFIED), "Top 5 Accuracy": (0.75, Tier.VERIFIED)}
    top1 = result.figures.get(name="Top 1 Accuracy")
    assert (top1.low, top1.high) == wilson_interval(30, 40)
    assert (result.tier, result.rank_value, result.samples) == (Tier.VERIFIED, 0.75, 40)
    assert result.benchmark == copy.benchmark


def test_what_the_record_says_that_it_counted_is_replaced_by_what_this_site_counted(score_answers):
    result = score_answers(
        10,
        results={"Top 1 Accuracy": 1.0, "Top 5 Accuracy": 1.0, "Prestige": 9.0},
        intervals={"Top 1 Accuracy": [1.0, 1.0]},
        calibration={"expected_calibration_error": 0.0},
        paper={"Top 1 Accuracy": {"paper": 0.1, "difference": 0.9}},
        samples=50_000,
        scored=50_000,
        correct={"Top 1 Accuracy": 50_000},
        nonfinite=0,
        dataset={"name": "ImageNet", "complete": True, "samples": 50_000},
        outputs={"name": "all.npy", "size": 1, "sha256": "0" * 64},
        tier="verified",
    )
    record = json.loads(result.record)
    assert record["results"] == {"Top 1 Accuracy": 0.25, "Top 5 Accuracy": 0.25}
    assert record["correct"] == {"Top 1 Accuracy": 10, "Top 5 Accuracy": 10}
    assert record["intervals"]["Top 1 Accuracy"] == list(wilson_interval(10, 40))
    assert (record["samples"], record["scored"]) == (40, 40)
    assert (record["dataset"]["samples"], record["dataset"]["complete"]) == (40, False)
    assert record["calibration"]["expected_calibration_error"] > 0
    assert not {"paper", "outputs", "tier"} & record.keys()
    assert set(figures(result)) == {"Top 1 Accuracy", "Top 5 Accuracy"}


def test_what_only_the_process_can_know_stays_as_declared(score_answers):
    declared = {
        "model_facts": {"parameters": 7, "macs": 8},
        "speed": {"samples_per_second": 9.0},
        "declared": {"extra_training_data": True},
        "paper_results": {"Top 1 Accuracy": 0.8},
        "transform": {"text": "Resize(256)"},
        "weights": [{"url": "https://example.org/net.pth"}],
    }
    result = score_answers(**declared)
    record = json.loads(result.record)
    assert {name: record[name] for name in declared} == declared
    assert figures(result)["Parameters"] == (7.0, Tier.DECLARED)
    assert result.extra_training_data is True


def test_predictions_are_kept_under_the_images_own_ids(score_answers, copy):
    result = score_answers(30)
    kept = read_predictions(result.predictions.path, sha256=result.predictions_sha256)
    assert kept.ids == tuple(f"true-{place:02d}" for place in range(40))
    assert kept.classes[:30, 0].tolist() == [7 * place for place in range(30)]
    assert json.loads(result.record)["predictions"]["sha256"] == result.predictions_sha256


def test_verified_results_are_compared_image_by_image(score_answers):
    better, worse = score_answers(38, model="Better"), score_answers(10, model="Worse", name="worse.npz")
    assert tied_letters([better, worse]) == {better.pk: ("a",), worse.pk: ("b",)}
    assert compare_results(better, worse).only_first == 28


def test_classes_are_counted_through_the_target_map(score_answers):
    outputs = np.zeros((40, 1000), np.float32)
    outputs[range(40), [999 - 7 * place for place in range(40)]] = 1
    result = score_answers(values=outputs, target_map=[999 - label for label in range(1000)])
    assert result.rank_value == 1.0


def test_result_takes_the_place_of_verified_and_self_reported_ones(score_answers, submit, record, copy):
    facts = {"samples": 40, "fingerprint": copy.fingerprint, "complete": False}
    (reported,) = submit(record(model="Net", samples=40, dataset=facts, results={"Top 1 Accuracy": 1.0}))
    assert reported.benchmark == copy.benchmark
    first, second = score_answers(10), score_answers(20)
    assert [Result.objects.get(pk=old.pk).superseded_by for old in (reported, first)] == [first, second]
    (later,) = submit(record(model="Net", samples=40, dataset=facts, results={"Top 1 Accuracy": 0.9}))
    assert Result.objects.get(pk=second.pk).superseded_by is None
    assert later.superseded_by is None


def test_build_that_ends_after_a_later_one_takes_no_place(score_answers, a_build):
    early, late = a_build(), a_build()
    newer = score_answers(20, build=late)
    older = score_answers(10, build=early)
    assert Result.objects.get(pk=older.pk).superseded_by == newer
    assert Result.objects.get(pk=newer.pk).superseded_by is None


def test_preview_ranks_nowhere_and_takes_no_place(score_answers, a_build, vision, copy, ada):
    standing = score_answers(10)
    preview = score_answers(40, build=a_build(is_preview=True))
    assert (preview.rank_value, figures(preview)["Top 1 Accuracy"]) == (None, (1.0, Tier.VERIFIED))
    assert Result.objects.get(pk=standing.pk).superseded_by is None
    assert list(current_results(vision)) == list(leaderboard(copy.benchmark, ada)) == [standing]


def test_preview_is_shown_on_its_builds_page_alone(score_answers, a_build, client, ada):
    build = a_build(is_preview=True)
    score_answers(model="Previewed", arxiv_id="1611.05431", build=build)
    shown = {}
    for address in ("/", "/user/ada", "/user/ada/repos/pytorch/vision", "/builds/pytorch/vision/1"):
        answer = client.get(address, follow=True)
        shown[address] = (answer.status_code, "Previewed" in answer.content.decode())
    assert {address for address, (_, there) in shown.items() if there} == {"/builds/pytorch/vision/1"}
    assert {status for status, _ in shown.values()} == {200}


def test_call_that_is_told_twice_is_one_result(a_build, answers, copy):
    build = a_build()
    record, path = answers(20)
    first = score_call(build, record, path, call_key=KEY)
    assert score_call(build, record, path, call_key=KEY) == first
    assert score_call(build, record | {"speed": {"samples_per_second": 1.0}}, path, call_key=KEY) == first
    assert score_call(build, record | {"model": "Other"}, path, call_key=OTHER_KEY) != first
    assert Result.objects.count() == 2


def test_two_calls_without_a_key_are_two_results_unless_they_are_equal(a_build, answers, copy):
    build = a_build()
    first = score_call(build, *answers(20))
    assert score_call(build, *answers(20)) == first
    assert score_call(build, *answers(21, name="other.npz")) != first


def test_one_bad_record_is_refused_alone(a_build, answers, copy):
    build = a_build()
    first = score_call(build, *answers(20))
    record, path = answers(30, name="bad.npz", model="Bad", target_map=[0] * 1000)
    with pytest.raises(Invalid, match="target_map"):
        score_call(build, record, path)
    second = score_call(build, *answers(10, name="good.npz", model="Good"))
    assert list(build.results.order_by("id")) == [first, second]


def test_results_of_a_build_that_fails_later_stay(score_answers, a_build):
    build = a_build()
    result = score_answers(build=build)
    build.status = "failed"
    build.save()
    assert list(current_results(build.repository)) == [result]


def test_carried_results_name_where_they_were_measured_and_take_its_place(score_answers, a_build):
    measured = score_answers(30, call_key=KEY)
    (carried,) = carry_over(a_build(), measured.build)
    (again,) = carry_over(a_build(), carried.build)
    assert (carried.carried_from, again.carried_from) == (measured, measured)
    assert (again.rank_value, figures(again), again.call_key) == (0.75, figures(measured), KEY)
    assert (again.record, again.predictions) == (measured.record, measured.predictions)
    assert [Result.objects.get(pk=old.pk).superseded_by for old in (measured, carried)] == [carried, again]
    assert list(current_results(again.repository)) == [again]


def test_carrying_over_twice_is_once(score_answers, a_build):
    measured, build = score_answers(30), a_build()
    assert carry_over(build, measured.build) == carry_over(build, measured.build)
    assert build.results.count() == 1


def test_results_carried_into_a_preview_and_out_of_one_rank_as_their_builds_do(score_answers, a_build):
    measured = score_answers(30)
    (preview,) = carry_over(a_build(is_preview=True), measured.build)
    assert preview.rank_value is None
    assert Result.objects.get(pk=measured.pk).superseded_by is None
    (standing,) = carry_over(a_build(), preview.build)
    assert (standing.rank_value, standing.carried_from) == (0.75, measured)


def test_one_call_is_carried_by_its_key(a_build, answers, copy):
    earlier, later = a_build(), a_build()
    one = score_call(earlier, *answers(20, model="One"), call_key=KEY)
    score_call(earlier, *answers(10, model="Other", name="other.npz"), call_key=OTHER_KEY)
    carried = carry_call(later, KEY, earlier)
    assert (carried.build, carried.carried_from, carried.model_name) == (later, one, "One")
    assert carry_call(later, KEY, earlier) == carried
    for unknown in ("c" * 64, ""):
        with pytest.raises(NotFound, match="expected a scored call"):
            carry_call(later, unknown, earlier)


def test_nothing_is_carried_between_repositories(score_answers, a_build, bob):
    measured = score_answers(30)
    theirs = a_build(Repository.objects.create(host="github.com", owner_name="bob", name="nets", owner=bob))
    with pytest.raises(Invalid, match="expected a build of"):
        carry_over(theirs, measured.build)
    with pytest.raises(Invalid, match="expected a build of"):
        carry_call(theirs, KEY, measured.build)
