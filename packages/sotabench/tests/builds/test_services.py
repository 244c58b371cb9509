"""Builds are numbered in their repository and move only along the table."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import IntegrityError, connection, transaction

from sotabench.server.builds.models import Build
from sotabench.server.builds.services import MOVES, Status, cancel_build, create_build, move
from sotabench.server.errors import Conflict, Forbidden
from sotabench.server.repositories.models import Repository

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
