"""What runners do to builds: they claim one, renew their lease, write its log, and bring it to its end.

    claim -> (renew, append_log)* -> end_attempt

Whoever stays silent for longer than the lease loses the build: another runner may have it, and everything the first one
still says is refused by its fencing token. `take_back_builds` is what takes leases away.
"""

import hashlib
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import Count, F, Max, QuerySet
from django.utils import timezone

from benchrecord import printable
from sotabench.lines import harmless
from sotabench.server.builds.models import Attempt, Build, LogChunk, Runner, Stage
from sotabench.server.builds.services import Status, move
from sotabench.server.errors import Conflict, Invalid
from sotabench.server.repositories.models import Repository
from sotabench.server.repositories.services import is_draining, with_builds_that_may_begin

LONGEST_ATTEMPT = timedelta(hours=48)
LONGEST_WAIT = timedelta(days=14)
MOST_ATTEMPTS = 3
MOST_LOG = 8 << 20
"""Characters of an attempt's log; a runner stops well before."""

TOKEN_START = "sbr_"  # noqa: S105 - how every runner's token begins
_MOST_REASON = 2_000
_LATEST = 1_000
_SEEN_EVERY = timedelta(seconds=10)


class LeaseLost(Conflict):
    """The build is no longer this attempt's: cancelled, given to another runner, or ended."""


@dataclass(frozen=True)
class Claim:
    """An attempt, and the token that alone may report on it."""

    attempt: Attempt
    token: str


def lease() -> timedelta:
    """How long a build stays with a runner that is silent."""
    return timedelta(seconds=settings.LEASE_SECONDS)


def create_runner(name: str) -> tuple[Runner, str]:
    """A runner of this name and its token, which is not kept; an earlier token of the name ends."""
    token = TOKEN_START + secrets.token_urlsafe(32)
    runner, _ = Runner.objects.update_or_create(name=name, defaults={"digest": _digest(token), "revoked_at": None})
    return runner, token


def runner_of(token: str) -> Runner | None:
    """The runner whose token this is, unless it was revoked."""
    return Runner.objects.filter(digest=_digest(token), revoked_at=None).first()


def report_runner(runner: Runner, *, facts: dict[str, Any], is_trusting: bool, trouble: str) -> None:
    """Keep what a runner says of itself; with `trouble` it is out of service until it says otherwise."""
    runner.facts, runner.is_trusting, runner.trouble = facts, is_trusting, trouble[:_MOST_REASON]
    runner.seen_at = timezone.now()
    runner.save(update_fields=["facts", "is_trusting", "trouble", "seen_at"])


def claim(runner: Runner, *, slot: int) -> Claim | None:
    """A waiting build for this runner's slot, or None: of the repository that was served longest ago, its oldest.

    A runner that claims for a slot has nothing in it: an attempt it left open there is ended first.
    """
    _touch(runner)
    for lost in Attempt.objects.filter(runner=runner, slot=slot, ended_at=None).select_related("build__repository"):
        _give_back(lost, f"the runner {runner} began anew")
    if runner.is_drained or runner.trouble or is_draining():
        return None
    while (build := _next()) is not None:
        try:
            return _begin(build, runner, slot)
        except Conflict:
            continue  # another runner was quicker, so what waits is no longer the same
    return None


def renew(token: str, *, stage: str = "") -> Attempt:
    """The attempt, its lease longer. Raises LeaseLost, and Invalid for a stage that there is none of."""
    if stage and stage not in Stage.values:
        raise Invalid(f"expected a stage among {', '.join(Stage.values)}, found {printable(stage, 40)!r}")
    changes: dict[str, Any] = {"leased_until": timezone.now() + lease()} | ({"stage": stage} if stage else {})
    if not Attempt.objects.filter(digest=_digest(token), ended_at=None).update(**changes):
        raise LeaseLost(_why_lost(token))
    return attempt_of(token)


def attempt_of(token: str) -> Attempt:
    """The open attempt with this fencing token. Raises LeaseLost."""
    found = Attempt.objects.filter(digest=_digest(token), ended_at=None)
    if attempt := found.select_related("build__repository", "runner").defer("build__inputs").first():
        return attempt
    raise LeaseLost(_why_lost(token))


def check_is_of(runner: Runner, token: str) -> None:
    """Raise LeaseLost for the token of another runner's attempt: one that leaked is of no use."""
    if token and Attempt.objects.filter(digest=_digest(token)).exclude(runner=runner).exists():
        raise LeaseLost("expected an attempt of this runner, found one of another")


def hold(attempt: Attempt) -> None:
    """Let nobody end the attempt before this transaction is over. Raises LeaseLost when somebody has."""
    held = Attempt.objects.select_for_update(no_key=True).filter(pk=attempt.pk)
    now = held.values_list("ended_at", "outcome").first()
    if now is None or now[0] is not None:
        raise LeaseLost(f"expected an attempt that goes on, found it ended: {now[1] if now else 'it is gone'}")


def append_log(token: str, number: int, text: str) -> None:
    """Keep lines of the log; the same number again changes nothing. Raises LeaseLost, Invalid for what is too long."""
    attempt = renew(token)
    lines = "\n".join(harmless(line) for line in text.split("\n"))
    if attempt.log_size + len(lines) > MOST_LOG:
        raise Invalid(f"expected a log of at most {MOST_LOG} characters, found a longer one")
    try:
        with transaction.atomic():
            LogChunk.objects.create(attempt=attempt, number=number, text=lines)
            Attempt.objects.filter(pk=attempt.pk).update(log_size=F("log_size") + len(lines))
    except IntegrityError:  # it came before, and the answer was lost
        return


@transaction.atomic
def note_conditions(attempt: Attempt, *, inputs: dict[str, Any], inputs_key: str, had_network: bool) -> None:
    """Keep what the build's results depend on, as its runner found it. Raises LeaseLost.

    A build of which an earlier attempt found something else has no key: its results do not all depend on the same.
    """
    hold(attempt)
    before = Build.objects.filter(pk=attempt.build_id).values_list("inputs", "inputs_key").get()
    if before[0] and before[1] != inputs_key:
        inputs_key = ""
    Build.objects.filter(pk=attempt.build_id).update(inputs=inputs, inputs_key=inputs_key)
    Attempt.objects.filter(pk=attempt.pk).update(had_network=had_network)
    attempt.build.refresh_from_db(fields=["inputs", "inputs_key"])


@transaction.atomic
def end_attempt(token: str, status: Status, *, reason: str = "") -> Build:
    """The build at its end, or waiting again: what broke through no fault of its own is tried `MOST_ATTEMPTS` times.

    Raises LeaseLost.
    """
    attempt = attempt_of(token)
    words = printable(reason, _MOST_REASON)
    if not _close(attempt, words or status.label):  # taken back since it was read; the build may be another's by now
        raise LeaseLost(_why_lost(token))
    if status is Status.BROKEN and attempt.number < MOST_ATTEMPTS:
        status, words = Status.QUEUED, f"tried again after: {words}"
    move(attempt.build, status, reason=words)
    return attempt.build


def take_back_builds(now: datetime) -> int:
    """Take away what ran out: leases, attempts that never end, builds that nobody takes; how many there were."""
    swept = 0
    for attempt in Attempt.objects.filter(ended_at=None, deadline__lt=now).select_related("build__repository"):
        swept += _give_back(attempt, f"it did not end within {LONGEST_ATTEMPT}", status=Status.BROKEN)
    for attempt in Attempt.objects.filter(ended_at=None, leased_until__lt=now).select_related("build__repository"):
        swept += _give_back(attempt, f"its runner was not heard of for {settings.LEASE_SECONDS} seconds")
    for build in Build.objects.filter(status=Status.QUEUED, changed_at__lt=now - LONGEST_WAIT):
        swept += _move_unless_moved(build, Status.BROKEN, f"no runner took it within {LONGEST_WAIT.days} days")
    return swept


def _waiting() -> QuerySet[Build]:
    """The builds that may begin, the oldest first."""
    running = Build.objects.filter(status=Status.RUNNING).order_by().values_list("repository").annotate(Count("pk"))
    full = [repository for repository, count in running if count >= settings.BUILDS_AT_ONCE]
    allowed = Build.objects.filter(status=Status.QUEUED, repository__in=with_builds_that_may_begin())
    return allowed.exclude(repository__in=full).order_by("created_at", "pk")


def _next() -> Build | None:
    """Of the repository that was served longest ago, the oldest build that may begin.

    Who was served is read from the latest attempts alone: whoever is not among them was served long enough ago.
    """
    while waiting := dict.fromkeys(_waiting().values_list("repository", flat=True)):
        latest = Attempt.objects.order_by("-pk").values_list("build__repository", flat=True)[:_LATEST]
        ago: dict[int, int] = {}
        for place, repository in enumerate(latest):
            ago.setdefault(repository, place)
        chosen = max(waiting, key=lambda repository: ago.get(repository, _LATEST))
        if build := _waiting().filter(repository=chosen).first():  # else another runner took it a moment ago
            return build
    return None


@transaction.atomic
def _begin(build: Build, runner: Runner, slot: int) -> Claim:
    """Give the build to the runner. Raises Conflict when it no longer waits, or its repository has enough that run."""
    Repository.objects.select_for_update().get(pk=build.repository_id)
    if not _waiting().filter(pk=build.pk).exists():
        raise Conflict(f"expected {build} to wait still, found it moved on")
    move(build, Status.RUNNING)
    token, now = secrets.token_urlsafe(32), timezone.now()
    attempt = build.attempts.create(
        number=(build.attempts.aggregate(last=Max("number"))["last"] or 0) + 1,
        runner=runner,
        slot=slot,
        digest=_digest(token),
        is_trusting=runner.is_trusting,
        leased_until=now + lease(),
        deadline=now + LONGEST_ATTEMPT,
    )
    return Claim(attempt, token)


def _give_back(attempt: Attempt, why: str, *, status: Status = Status.QUEUED) -> bool:
    """End an attempt whose runner is gone; its build waits again, or is broken when that happened too often."""
    last = attempt.number >= MOST_ATTEMPTS
    with transaction.atomic():
        if not _close(attempt, why):
            return False
        return _move_unless_moved(attempt.build, Status.BROKEN if last else status, why)


def _close(attempt: Attempt, outcome: str) -> bool:
    """End the attempt; False when it had ended."""
    changes = {"ended_at": timezone.now(), "outcome": outcome}
    return bool(Attempt.objects.filter(pk=attempt.pk, ended_at=None).update(**changes))


def _move_unless_moved(build: Build, to: Status, reason: str) -> bool:
    try:
        move(build, to, reason=reason)
    except Conflict:
        return False
    return True


def _why_lost(token: str) -> str:
    ended = Attempt.objects.filter(digest=_digest(token)).first()
    return (
        f"expected an attempt that goes on, found it ended: {ended.outcome}" if ended else "expected an attempt's token"
    )


def _touch(runner: Runner) -> None:
    """Note that the runner lives; at most every few seconds, so that asking does not become writing."""
    now = timezone.now()
    if runner.seen_at is None or runner.seen_at < now - _SEEN_EVERY:
        Runner.objects.filter(pk=runner.pk).update(seen_at=now)


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()
