"""What happens to builds. Every build goes along `MOVES`, and `move` is the only one that writes `status`."""

import re

from django.db import transaction
from django.db.models import Max
from django.utils import timezone

from sotabench.server.accounts.models import User
from sotabench.server.builds.models import COMMIT, Attempt, Build
from sotabench.server.errors import Conflict, Invalid
from sotabench.server.repositories.models import Repository
from sotabench.server.repositories.services import check_may_change, why_not_built, why_refused

Status = Build.Status

MOVES: dict[Status, frozenset[Status]] = {
    Status.QUEUED: frozenset({Status.RUNNING, Status.SKIPPED, Status.CANCELLED, Status.BROKEN}),
    Status.RUNNING: frozenset({Status.QUEUED, Status.FINISHED, Status.FAILED, Status.BROKEN, Status.CANCELLED}),
    Status.RECEIVING: frozenset({Status.FINISHED}),
    Status.FINISHED: frozenset(),
    Status.FAILED: frozenset(),
    Status.BROKEN: frozenset(),
    Status.SKIPPED: frozenset({Status.QUEUED}),
    Status.CANCELLED: frozenset(),
}
"""A build that is queued again lost its runner, or its push was told again. The states without a way out are final: a
re-run is a new build."""


@transaction.atomic
def create_build(repository: Repository, user: User, *, commit: str, origin: str, branch: str = "") -> Build:
    """A new build with the repository's next number: waiting when it was requested, receiving when submitted.

    Raises Forbidden, and Invalid when `commit` is not the full name of a commit.
    """
    check_may_change(user, repository)
    _lock(repository)
    status = Status.RECEIVING if origin == Build.Origin.SUBMITTED else Status.QUEUED
    return _add(repository, status, commit=commit, branch=branch, origin=origin, requested_by=user)


@transaction.atomic
def build_push(repository: Repository, *, commit: str, branch: str) -> Build:
    """The build of a commit that was pushed to the default branch: the same push told twice is one build.

    Pushed builds of the branch that still wait are skipped for this newer one. Where the repository may not be built, a
    skipped build says why; told again when it may be, it waits. While the site begins no builds, pushes wait. Raises
    Invalid when `commit` is not the full name of a commit.
    """
    _lock(repository)
    pushed = repository.builds.filter(origin=Build.Origin.PUSHED)
    known = pushed.filter(commit=commit).first()
    if known and known.status != Status.SKIPPED:
        return known
    why = why_refused(repository) or ("" if repository.build_enabled else "building at every push is turned off")
    if known and why:
        return known
    for older in pushed.filter(branch=branch[:255], status=Status.QUEUED) if not why else ():
        move(older, Status.SKIPPED, reason=f"a newer push came before it began: {commit[:12]}")
    if known:
        move(known, Status.QUEUED)
        return known
    status = Status.SKIPPED if why else Status.QUEUED
    return _add(repository, status, commit=commit, branch=branch, origin=Build.Origin.PUSHED, reason=why)


@transaction.atomic
def build_now(
    user: User,
    repository: Repository,
    *,
    commit: str,
    branch: str = "",
    is_preview: bool = False,
    is_full: bool = False,
) -> Build:
    """A new build that somebody asked for; with `is_preview` its results stand on no leaderboard.

    Raises Forbidden, Conflict that says why the repository is not built, and Invalid.
    """
    check_may_change(user, repository)
    _lock(repository)
    if why := why_not_built(repository):
        raise Conflict(f"{repository} is not built: {why}")
    facts = {"is_preview": is_preview, "is_full": is_full, "requested_by": user}
    return _add(repository, Status.QUEUED, commit=commit, branch=branch, origin=Build.Origin.REQUESTED, **facts)


def build_again(user: User, build: Build, *, is_full: bool = False) -> Build:
    """A new build of the same commit; what was scored already is carried over unless `is_full`. Raises as `build_now`.

    Raises Conflict for results that were submitted: the site cannot compute them again.
    """
    if build.origin == Build.Origin.SUBMITTED:
        raise Conflict(f"expected a build that this site ran, found {build}, whose results were submitted")
    return build_now(
        user,
        build.repository,
        commit=build.commit,
        branch=build.branch,
        is_preview=build.is_preview,
        is_full=is_full,
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


@transaction.atomic
def cancel_build(user: User, build: Build) -> None:
    """Give up a build that waits or runs; its runner hears of it at its next sign of life.

    Raises Forbidden, and Conflict when it has ended.
    """
    check_may_change(user, build.repository)
    reason = f"cancelled by {user.username}"
    # The attempt first, as whoever ends one does: two that wait for each other would both be refused.
    Attempt.objects.filter(build=build, ended_at=None).update(ended_at=timezone.now(), outcome=reason)
    move(build, Status.CANCELLED, reason=reason)


def check_commit_name(commit: str) -> None:
    """Raise Invalid unless it is the full name of a commit."""
    if not re.fullmatch(COMMIT, commit):
        raise Invalid(f"expected a commit as 40 hexadecimal digits, found {commit[:80]!r}; see `git rev-parse HEAD`")


def _lock(repository: Repository) -> None:
    """Whoever holds the repository's row gives out its next number alone."""
    Repository.objects.select_for_update().get(pk=repository.pk)


def _add(repository: Repository, status: Status, *, commit: str, branch: str, **facts: object) -> Build:
    check_commit_name(commit)
    last = repository.builds.aggregate(last=Max("number"))["last"] or 0
    return repository.builds.create(number=last + 1, status=status, commit=commit, branch=branch[:255], **facts)
