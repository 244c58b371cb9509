"""What happens to builds. Every build goes along `MOVES`, and `move` is the only one that writes `status`."""

import re

from django.db import transaction
from django.db.models import Max
from django.utils import timezone

from sotabench.server.accounts.models import User
from sotabench.server.builds.models import COMMIT, Build
from sotabench.server.errors import Conflict, Invalid
from sotabench.server.repositories.models import Repository
from sotabench.server.repositories.services import check_may_change

Status = Build.Status

MOVES: dict[Status, frozenset[Status]] = {
    Status.QUEUED: frozenset({Status.RUNNING, Status.SKIPPED, Status.CANCELLED, Status.BROKEN}),
    Status.RUNNING: frozenset(
        {Status.QUEUED, Status.FINISHED, Status.FAILED, Status.BROKEN, Status.SKIPPED, Status.CANCELLED}
    ),
    Status.RECEIVING: frozenset({Status.FINISHED}),
    Status.FINISHED: frozenset(),
    Status.FAILED: frozenset(),
    Status.BROKEN: frozenset(),
    Status.SKIPPED: frozenset(),
    Status.CANCELLED: frozenset(),
}
"""A build that is queued again lost its runner. The states without a way out are final: a re-run is a new build."""

@transaction.atomic
def create_build(repository: Repository, user: User, *, commit: str, origin: str, branch: str = "") -> Build:
    """A new build with the repository's next number: waiting when it was requested, receiving when submitted.

    Raises Forbidden, and Invalid when `commit` is not the full name of a commit.
    """
    check_may_change(user, repository)
    if not re.fullmatch(COMMIT, commit):
        raise Invalid(f"expected a commit as 40 hexadecimal digits, found {commit[:80]!r}; see `git rev-parse HEAD`")
    # The lock on the repository's row makes the next number this build's alone.
    Repository.objects.select_for_update().get(pk=repository.pk)
    last = repository.builds.aggregate(last=Max("number"))["last"] or 0
    status = Status.RECEIVING if origin == Build.Origin.SUBMITTED else Status.QUEUED
    return repository.builds.create(
        number=last + 1, commit=commit, branch=branch[:255], origin=origin, status=status, requested_by=user
    )


def move(build: Build, to: Status, *, reason: str = "") -> None:
    """Bring the build from the status it was read with to `to`, if nobody else moved it meanwhile.

    Raises Conflict when `MOVES` knows no such way, or the build is no longer where it was.
    """
    came_from = Status(build.status)
    if to not in MOVES[came_from]:
        raise Conflict(f"expected a build that can become {to}, found {build} {came_from}")
    changes = {"status": to, "reason": reason, "changed_at": timezone.now()}
    if not Build.objects.filter(pk=build.pk, status=came_from).update(**changes):
        raise Conflict(f"expected {build} to be {came_from} still, found it moved on; look again")
    build.refresh_from_db(fields=list(changes))


def cancel_build(user: User, build: Build) -> None:
    """Give up a build that waits. Raises Forbidden, and Conflict when it does not wait."""
    check_may_change(user, build.repository)
    move(build, Status.CANCELLED, reason=f"cancelled by {user.username}")
