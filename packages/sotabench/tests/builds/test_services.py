"""Builds are numbered in their repository and move only along the table."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import IntegrityError, connection, transaction

from sotabench.server.builds.models import Build
from sotabench.server.builds.services import (
    MOVES,
    Status,
    build_again,
    build_now,
    build_push,
    cancel_build,
    create_build,
    move,
)
from sotabench.server.errors import Conflict, Forbidden
from sotabench.server.repositories.models import Repository
from sotabench.server.repositories.services import drain

pytestmark = pytest.mark.django_db


@pytest.fixture
def build(vision, ada, commit):
    return create_build(vision, ada, commit=commit, origin=Build.Origin.REQUESTED)


def test_builds_are_numbered_from_one_in_each_repository(build, vision, ada, commit):
    other = Repository.objects.create(host="example.org", owner_name="pytorch", name="vision", owner=ada)
    second = create_build(vision, ada, commit=commit, origin=Build.Origin.REQUESTED)
    first_of_other = create_build(other, ada, commit=commit, origin=Build.Origin.REQUESTED)
    assert [build.number, second.number, first_of_other.number] == [1, 2, 1]


def test_every_status_is_in_the_table_and_in_the_databases_own_check(build):
    assert set(MOVES) == set(Status)
    for status in Status:
        Build.objects.filter(pk=build.pk).update(status=status)
    with pytest.raises(IntegrityError), transaction.atomic():
        Build.objects.filter(pk=build.pk).update(status="running for ever")


@pytest.mark.parametrize("came_from", list(Status))
@pytest.mark.parametrize("to", list(Status))
def test_build_moves_along_the_table_and_nowhere_else(build, came_from, to):
    Build.objects.filter(pk=build.pk).update(status=came_from)
    build.refresh_from_db()
    if to in MOVES[came_from]:
        move(build, to)
        assert build.status == to
    else:
        with pytest.raises(Conflict):
            move(build, to)


def test_build_that_somebody_else_moved_meanwhile_is_not_moved_again(build, ada):
    mine = Build.objects.get(pk=build.pk)
    cancel_build(ada, build)
    with pytest.raises(Conflict, match="moved on"):
        cancel_build(ada, mine)


def test_only_the_owner_starts_and_cancels(build, vision, bob, commit):
    with pytest.raises(Forbidden):
        create_build(vision, bob, commit=commit, origin=Build.Origin.REQUESTED)
    with pytest.raises(Forbidden):
        cancel_build(bob, build)


@pytest.mark.django_db(transaction=True)
def test_builds_that_are_asked_for_at_once_get_numbers_of_their_own(vision, ada, commit):
    def ask(_):
        try:
            return create_build(vision, ada, commit=commit, origin=Build.Origin.REQUESTED).number
        finally:
            connection.close()

    with ThreadPoolExecutor(8) as threads:
        numbers = list(threads.map(ask, range(24)))
    assert sorted(numbers) == list(range(1, 25))


def test_same_commit_pushed_twice_is_one_build(vision, commit):
    first = build_push(vision, commit=commit, branch="main")
    assert build_push(vision, commit=commit, branch="main") == first
    assert vision.builds.count() == 1


@pytest.mark.django_db(transaction=True)
def test_same_push_told_many_times_at_once_is_one_build(vision, commit):
    def tell(_):
        try:
            return build_push(vision, commit=commit, branch="main").number
        finally:
            connection.close()

    with ThreadPoolExecutor(8) as threads:
        assert set(threads.map(tell, range(16))) == {1}


def test_newer_push_skips_an_older_one_that_waits_and_leaves_one_that_runs(vision):
    running = build_push(vision, commit="1" * 40, branch="main")
    move(running, Status.RUNNING)
    older = build_push(vision, commit="2" * 40, branch="main")
    elsewhere = build_push(vision, commit="3" * 40, branch="other")
    newer = build_push(vision, commit="4" * 40, branch="main")
    statuses = {build.commit[0]: (build.status, build.reason) for build in vision.builds.all()}
    assert statuses["2"] == (Status.SKIPPED, "a newer push came before it began: 444444444444")
    assert [statuses[key][0] for key in "134"] == [Status.RUNNING, Status.QUEUED, Status.QUEUED]
    assert (older.number, elsewhere.number, newer.number) == (2, 3, 4)


def test_push_to_a_repository_whose_builds_are_off_is_skipped_and_says_so(vision, commit):
    vision.build_enabled = False
    build = build_push(vision, commit=commit, branch="main")
    assert (build.status, build.reason) == (Status.SKIPPED, "building at every push is turned off")


def test_push_waits_while_the_site_drains(vision, commit):
    drain(on=True)
    assert build_push(vision, commit=commit, branch="main").status == Status.QUEUED


def test_skipped_push_told_again_waits_once_it_may_be_built(vision, commit):
    vision.build_enabled = False
    skipped = build_push(vision, commit=commit, branch="main")
    assert build_push(vision, commit=commit, branch="main").status == Status.SKIPPED
    vision.build_enabled = True
    again = build_push(vision, commit=commit, branch="main")
    assert (again, again.status, again.reason) == (skipped, Status.QUEUED, "")
    assert vision.builds.count() == 1


def test_branch_that_is_put_back_to_a_skipped_commit_is_built_there(vision):
    first, second = (build_push(vision, commit=name * 40, branch="main") for name in "12")
    assert build_push(vision, commit="1" * 40, branch="main") == first
    statuses = {build.commit[0]: build.status for build in vision.builds.all()}
    assert statuses == {"1": Status.QUEUED, "2": Status.SKIPPED}
    assert second.number == 2


@pytest.mark.parametrize("status", [status for status in Status if status != Status.RECEIVING])
def test_build_is_run_again_from_every_state(vision, ada, commit, status):
    build = build_push(vision, commit=commit, branch="main")
    Build.objects.filter(pk=build.pk).update(status=status)
    again = build_again(ada, build, is_full=True)
    assert (again.commit, again.status, again.is_full, again.origin) == (commit, Status.QUEUED, True, "requested")


def test_submitted_results_are_not_built_again_and_strangers_build_nothing(vision, ada, bob, commit):
    submitted = create_build(vision, ada, commit=commit, origin=Build.Origin.SUBMITTED)
    with pytest.raises(Conflict, match="submitted"):
        build_again(ada, submitted)
    with pytest.raises(Forbidden):
        build_now(bob, vision, commit=commit)
