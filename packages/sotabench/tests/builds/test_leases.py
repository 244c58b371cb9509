"""Runners hold builds by leases; whoever lost one can say nothing more."""

import time
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Event

import pytest
from django.db import IntegrityError, connection, transaction
from django.utils import timezone

from sotabench.server.builds import leases
from sotabench.server.builds.leases import (
    LeaseLost,
    append_log,
    claim,
    create_runner,
    end_attempt,
    renew,
    take_back_builds,
)
from sotabench.server.builds.models import Attempt, Build, LogChunk, Runner
from sotabench.server.builds.services import Status, cancel_build
from sotabench.server.errors import Invalid
from sotabench.server.repositories.models import Repository

pytestmark = pytest.mark.django_db


def let_lapse(attempt):
    Attempt.objects.filter(pk=attempt.pk).update(leased_until=timezone.now() - timedelta(seconds=1))


def status_of(build):
    build.refresh_from_db()
    return build.status


def test_of_a_runners_token_only_the_digest_is_kept_and_a_new_one_ends_the_old(db):
    runner, token = create_runner("here")
    assert token not in str(vars(runner))
    assert leases.runner_of(token) == runner
    _, newer = create_runner("here")
    assert leases.runner_of(token) is None
    assert leases.runner_of(newer) == runner
    Runner.objects.update(revoked_at=timezone.now())
    assert leases.runner_of(newer) is None


def test_claimed_build_runs_and_is_nobody_elses(push, runner):
    build = push()
    got = claim(runner, slot=0)
    assert (got.attempt.build, status_of(build)) == (build, Status.RUNNING)
    assert claim(create_runner("there")[0], slot=0) is None


def test_two_runners_that_claim_at_once_get_different_builds_or_none(transactional_db, vision, ada, push, proven):
    for number in range(6):
        repository = Repository.objects.create(
            host="example.org", owner_name="o", name=f"r{number}", owner=ada, **proven
        )
        push(repository=repository)
    runners = [create_runner(f"runner {number}")[0] for number in range(8)]

    def ask(runner):
        try:
            got = claim(runner, slot=0)
            return got and got.attempt.build_id
        finally:
            connection.close()

    with ThreadPoolExecutor(8) as threads:
        found = [key for key in threads.map(ask, runners) if key]
    assert len(found) == len(set(found)) == 6


def test_runners_that_claim_at_once_begin_no_more_of_a_repository_than_it_may_run(transactional_db, push):
    for number in range(4):
        push(f"{number:040x}", branch=f"b{number}")
    runners = [create_runner(f"runner {number}")[0] for number in range(8)]

    def ask(runner):
        try:
            return claim(runner, slot=0)
        finally:
            connection.close()

    with ThreadPoolExecutor(8) as threads:
        assert sum(got is not None for got in threads.map(ask, runners)) == 1
    assert Build.objects.filter(status=Status.RUNNING).count() == 1


def test_repository_that_was_served_longest_ago_comes_first_and_each_runs_one_build_at_a_time(
    push, runner, ada, proven
):
    busy = Repository.objects.create(host="example.org", owner_name="o", name="busy", owner=ada, **proven)
    quiet = Repository.objects.create(host="example.org", owner_name="o", name="quiet", owner=ada, **proven)
    for number in range(3):
        push(f"{number:040x}", repository=busy, branch=f"b{number}")
    first = claim(runner, slot=0)
    assert first.attempt.build.repository == busy
    assert claim(runner, slot=1) is None
    end_attempt(first.token, Status.FINISHED)
    push("f" * 40, repository=quiet)
    assert claim(runner, slot=1).attempt.build.repository == quiet
    assert claim(runner, slot=2).attempt.build.repository == busy


def test_drained_or_troubled_runner_gets_nothing(push, runner):
    push()
    for change in ({"is_drained": True}, {"trouble": "no bubblewrap"}):
        Runner.objects.filter(pk=runner.pk).update(**change)
        runner.refresh_from_db()
        assert claim(runner, slot=0) is None
        Runner.objects.filter(pk=runner.pk).update(is_drained=False, trouble="")


def test_renewing_lengthens_the_lease_and_tells_the_stage(claimed):
    let_lapse(claimed.attempt)
    renewed = renew(claimed.token, stage="evaluate")
    assert renewed.leased_until > timezone.now() + leases.lease() / 2
    assert renewed.stage == "evaluate"
    with pytest.raises(Invalid, match="stage"):
        renew(claimed.token, stage="lunch")


def test_build_of_a_silent_runner_waits_again_and_the_silent_one_can_finish_nothing(claimed, runner):
    build = claimed.attempt.build
    let_lapse(claimed.attempt)
    assert take_back_builds(timezone.now()) == 1
    assert status_of(build) == Status.QUEUED
    for late in (
        lambda: renew(claimed.token),
        lambda: append_log(claimed.token, 0, "late"),
        lambda: end_attempt(claimed.token, Status.FINISHED),
    ):
        with pytest.raises(LeaseLost, match="not heard of"):
            late()
    second = claim(runner, slot=0)
    assert (second.attempt.build, second.attempt.number) == (build, 2)
    end_attempt(second.token, Status.FINISHED)
    assert status_of(build) == Status.FINISHED


def test_build_that_loses_its_runner_three_times_is_broken_and_says_why(push, runner):
    build = push()
    for _ in range(leases.MOST_ATTEMPTS):
        let_lapse(claim(runner, slot=0).attempt)
        take_back_builds(timezone.now())
    assert status_of(build) == Status.BROKEN
    assert "not heard of" in build.reason


def test_runner_that_begins_anew_gives_back_what_it_had(claimed, runner):
    again = claim(runner, slot=0)
    assert again.attempt.build == claimed.attempt.build
    assert again.attempt.number == 2
    with pytest.raises(LeaseLost, match="began anew"):
        renew(claimed.token)


def test_what_breaks_is_tried_again_and_what_fails_is_not(claimed, runner):
    build = end_attempt(claimed.token, Status.BROKEN, reason="the disk is full")
    assert (build.status, build.reason) == (Status.QUEUED, "tried again after: the disk is full")
    second = claim(runner, slot=0)
    build = end_attempt(second.token, Status.FAILED, reason="sotabench.py ended with exit code 1")
    assert build.status == Status.FAILED
    with pytest.raises(LeaseLost):
        end_attempt(second.token, Status.FINISHED)


def test_cancelled_build_takes_its_runners_lease(claimed, ada):
    build = claimed.attempt.build
    build.refresh_from_db()
    cancel_build(ada, build)
    with pytest.raises(LeaseLost, match="cancelled by ada"):
        renew(claimed.token)
    assert status_of(build) == Status.CANCELLED


def test_attempt_that_never_ends_and_build_that_nobody_takes_are_broken(claimed, push, ada, proven):
    Attempt.objects.filter(pk=claimed.attempt.pk).update(deadline=timezone.now() - timedelta(seconds=1))
    other = Repository.objects.create(host="example.org", owner_name="o", name="other", owner=ada, **proven)
    waiting = push(repository=other)
    Build.objects.filter(pk=waiting.pk).update(changed_at=timezone.now() - 2 * leases.LONGEST_WAIT)
    assert take_back_builds(timezone.now()) == 2
    assert [status_of(claimed.attempt.build), status_of(waiting)] == [Status.BROKEN, Status.BROKEN]
    assert "no runner" in waiting.reason


def test_chunk_of_log_that_comes_twice_is_kept_once_and_harms_nothing(claimed):
    for _ in range(2):
        append_log(claimed.token, 0, "\x1b[31mred\x1b[0m\nevil \u202e text \x1b]0;title\x07 10%\r100%")
    append_log(claimed.token, 1, "<script>alert(1)</script>")
    texts = list(LogChunk.objects.values_list("text", flat=True))
    assert texts == ["red\n100%", "<script>alert(1)</script>"]
    assert not any(ord(character) < 32 for character in "".join(texts).replace("\n", ""))


def test_log_is_bounded(claimed, monkeypatch):
    monkeypatch.setattr(leases, "MOST_LOG", 100)
    append_log(claimed.token, 0, "x" * 90)
    with pytest.raises(Invalid, match="at most 100"):
        append_log(claimed.token, 1, "x" * 20)


def test_database_itself_refuses_a_second_open_attempt(claimed, runner):
    with pytest.raises(IntegrityError), transaction.atomic():
        Attempt.objects.create(
            build=claimed.attempt.build,
            number=2,
            runner=runner,
            slot=1,
            digest="another",
            leased_until=timezone.now(),
            deadline=timezone.now(),
        )


@pytest.mark.django_db(transaction=True)
@pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite lets one transaction in at a time")
def test_end_that_waited_while_the_build_was_given_to_another_runner_is_refused(claimed):
    build, taken = claimed.attempt.build, Event()

    def give_away():
        with transaction.atomic():
            leases._give_back(claimed.attempt, "silent")
            leases._begin(Build.objects.get(pk=build.pk), create_runner("there")[0], 0)
            taken.set()
            for _ in range(500):
                if waits_for_a_lock():
                    break
                time.sleep(0.01)
        connection.close()

    with ThreadPoolExecutor(1) as pool:
        given = pool.submit(give_away)
        assert taken.wait(20)
        with pytest.raises(LeaseLost):
            end_attempt(claimed.token, Status.FINISHED)
        given.result(timeout=20)
    assert status_of(build) == Status.RUNNING


def waits_for_a_lock():
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'")
        return cursor.fetchone()[0]
