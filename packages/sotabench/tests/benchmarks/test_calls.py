"""Calls come back from a build one by one; what ran before under the very same conditions does not run again."""

import json
from datetime import timedelta

import pytest
from django.utils import timezone

from sotabench.server.benchmarks.calls import accept_call, accept_inputs
from sotabench.server.benchmarks.labels import set_labels
from sotabench.server.benchmarks.models import Result
from sotabench.server.benchmarks.scoring import score_call
from sotabench.server.builds import leases
from sotabench.server.builds.leases import LeaseLost, attempt_of, end_attempt
from sotabench.server.builds.models import Attempt, Build
from sotabench.server.builds.services import Status, build_again, build_push, cancel_build
from sotabench.server.errors import Invalid

pytestmark = pytest.mark.django_db

INPUTS = {"tree": "t", "lock": "l", "weights": [], "data": {"ImageNet": "f"}, "torchbench": "1", "hardware": "A"}
KEY = "a" * 64


@pytest.fixture
def lab():
    return leases.create_runner("lab")[0]


@pytest.fixture
def begin(vision, lab):
    """A running build of a commit of its own: its attempt's token."""

    def begun(commit="a" * 40):
        build_push(vision, commit=commit, branch="main")
        return leases.claim(lab, slot=0).token

    return begun


@pytest.fixture
def call(answers, copy):
    """Hands in a call's record and predictions in an attempt's name."""

    def called(token, right=30, *, number=1, **changes):
        record, path = answers(right, **changes)
        return accept_call(token, json.dumps([record]).encode(), path, number=number)

    return called


def skip(token, key=KEY, *, number=1):
    """Hands in what torchbench writes for a call that it was told is done."""
    stub = {
        "format": 1, "task": "Image Classification", "dataset_name": "ImageNet", "model": "Net", "results": {},
        "carried_over": True, "call_key": key,
    }  # fmt: skip
    return accept_call(token, json.dumps([stub]).encode(), None, number=number)


def known(token, inputs=INPUTS, **conditions):
    return accept_inputs(attempt_of(token), inputs, **{"had_network": False} | conditions)


def test_call_that_is_told_twice_is_one_result(begin, call):
    token = begin()
    assert call(token, 30, call_key=KEY) == call(token, 31, call_key=KEY)
    other = {"number": 2, "model": "Other", "call_key": None}
    assert call(token, 30, **other) == call(token, 31, **other)
    assert Result.objects.count() == 2


def test_call_of_a_lost_attempt_is_refused(begin, call):
    token = begin()
    end_attempt(token, Status.FINISHED)
    with pytest.raises(LeaseLost):
        call(token)
    assert not Result.objects.exists()


@pytest.mark.parametrize("is_cancelled", [True, False], ids=["cancelled", "taken back"])
def test_call_whose_attempt_ends_while_it_is_scored_is_refused(begin, answers, copy, ada, is_cancelled):
    attempt = attempt_of(begin())
    if is_cancelled:
        cancel_build(ada, Build.objects.get(pk=attempt.build_id))
    else:
        Attempt.objects.update(leased_until=timezone.now() - timedelta(seconds=1))
        leases.take_back_builds(timezone.now())
    record, path = answers(30)
    with pytest.raises(LeaseLost):
        score_call(attempt.build, record, path, attempt=attempt)
    assert not Result.objects.exists()


def test_nothing_is_carried_over_for_an_attempt_that_ended_meanwhile(begin, call):
    first = begin()
    known(first)
    call(first)
    end_attempt(first, Status.FINISHED)
    token = begin("b" * 40)
    late = attempt_of(token)
    end_attempt(token, Status.FAILED)
    with pytest.raises(LeaseLost):
        accept_inputs(late, INPUTS, had_network=False)
    late.build.refresh_from_db()
    assert (late.build.inputs, Result.objects.count()) == ({}, 1)


def test_whole_build_is_carried_over_where_everything_is_the_same(begin, call):
    first = begin()
    assert known(first).carried_from is None
    measured = call(first, 30)
    end_attempt(first, Status.FINISHED)
    second = begin("b" * 40)
    assert known(second).carried_from == 1
    end_attempt(second, Status.FINISHED)
    carried = Result.objects.get(build__number=2)
    assert (carried.carried_from, carried.rank_value, carried.tier) == (measured, measured.rank_value, "verified")
    third = begin("c" * 40)
    assert known(third).carried_from == 2
    assert Result.objects.get(build__number=3).carried_from == measured


@pytest.mark.parametrize("changed", list(INPUTS))
def test_nothing_is_carried_over_where_one_thing_differs(begin, call, changed):
    first = begin()
    known(first)
    call(first, call_key=KEY)
    end_attempt(first, Status.FINISHED)
    found = known(begin("b" * 40), INPUTS | {changed: "other"})
    assert (found.carried_from, found.done) == (None, [])


def test_nothing_is_carried_over_where_the_labels_were_corrected(begin, call, copy):
    first = begin()
    known(first)
    assert call(first, 30, call_key=KEY).rank_value == 0.75
    end_attempt(first, Status.FINISHED)
    rows = "".join(f"true-{place:02d},{7 * place if place else 999}\n" for place in range(copy.samples))
    set_labels(copy.benchmark, f"id,class_index\n{rows}".encode())
    second = begin("b" * 40)
    assert (known(second).carried_from, known(second).done) == (None, [])
    assert call(second, 30, call_key=KEY).rank_value == 29 / 40


def test_nothing_is_carried_over_with_network_or_after_so_many_days_or_into_a_full_build(
    begin, call, vision, ada, lab, settings
):
    first = begin()
    known(first)
    result = call(first, call_key=KEY)
    end_attempt(first, Status.FINISHED)
    second = begin("b" * 40)
    assert known(second, had_network=True).carried_from is None
    end_attempt(second, Status.FINISHED)
    build_again(ada, result.build, is_full=True)
    full = leases.claim(lab, slot=0).token
    assert known(full) == type(known(full))(None, [])
    end_attempt(full, Status.FAILED)
    long_ago = timezone.now() - timedelta(days=settings.RERUN_AFTER_DAYS + 1)
    Result.objects.update(created_at=long_ago)
    result.build.__class__.objects.filter(pk=result.build_id).update(created_at=long_ago)
    assert known(begin("c" * 40)).carried_from is None


def test_what_was_measured_too_long_ago_is_not_kept_alive_by_being_carried_over(begin, call, settings):
    first = begin()
    known(first)
    measured = call(first)
    end_attempt(first, Status.FINISHED)
    second = begin("b" * 40)
    assert known(second).carried_from == 1
    end_attempt(second, Status.FINISHED)
    long_ago = timezone.now() - timedelta(days=settings.RERUN_AFTER_DAYS + 1)
    Result.objects.filter(pk=measured.pk).update(created_at=long_ago)
    measured.build.__class__.objects.filter(pk=measured.build_id).update(created_at=long_ago)
    assert known(begin("c" * 40)).carried_from is None


def test_run_again_after_a_failure_goes_on_where_it_ended(begin, call, ada, lab):
    first = begin()
    known(first)
    measured = call(first, 30, call_key=KEY)
    failed = end_attempt(first, Status.FAILED, reason="the second call failed")
    build_again(ada, failed)
    second = leases.claim(lab, slot=0).token
    assert known(second).done == [KEY]
    carried = skip(second)
    assert carried.carried_from == measured
    assert carried == skip(second)
    assert call(second, 20, number=2, model="Other", name="other.npz", call_key="b" * 64).rank_value == 0.5


def test_attempt_after_a_lost_runner_skips_what_its_build_has_already(begin, call, lab, vision):
    first = begin()
    known(first)
    measured = call(first, 30, call_key=KEY)
    end_attempt(first, Status.BROKEN, reason="the disk is full")
    second = leases.claim(lab, slot=0).token
    assert known(second).done == [KEY]
    assert skip(second) == measured
    assert vision.results.count() == 1


def test_call_that_nobody_scored_is_not_skipped_by_saying_so(begin, call, copy):
    token = begin()
    known(token)
    with pytest.raises(Invalid, match="scored before"):
        skip(token)
    call(token, call_key=KEY)
    end_attempt(token, Status.FAILED)
    other = begin("b" * 40)
    known(other, INPUTS | {"tree": "changed"})
    with pytest.raises(Invalid, match="scored before"):
        skip(other)


@pytest.mark.parametrize("way", ["network", "sandbox"])
def test_build_of_which_one_attempt_ran_under_other_conditions_gives_nothing_to_others(begin, call, lab, client, way):
    first = begin()
    known(first, INPUTS | {"way": way}, had_network=way == "network")
    Attempt.objects.update(is_trusting=way == "sandbox")
    result = call(first, 30, call_key=KEY)
    end_attempt(first, Status.BROKEN, reason="the disk is full")
    second = leases.claim(lab, slot=0).token
    assert known(second).done == [KEY]
    end_attempt(second, Status.FINISHED)
    found = known(begin("b" * 40))
    assert (found.carried_from, found.done) == (None, [])
    page = client.get(f"/results/{result.pk}").content.decode()
    assert ("Had network" in page, "Run without a sandbox" in page) == (way == "network", way == "sandbox")


@pytest.mark.parametrize("content", [b"", b"[]", b"{}", b"[{}, {}]", b"[1]", b"[" * 100_000, b"\xff"])
def test_what_is_no_record_is_refused(begin, content, copy):
    with pytest.raises(Invalid):
        accept_call(begin(), content, None, number=1)
