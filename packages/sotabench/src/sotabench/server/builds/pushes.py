"""Pushes as webhooks tell them: each is taken once, and what came of it is written down."""

from datetime import datetime, timedelta

from django.conf import settings
from django.db import IntegrityError, transaction
from django.utils import timezone

from sotabench.server.accounts.models import User
from sotabench.server.builds.models import Build
from sotabench.server.builds.services import build_now, build_push
from sotabench.server.errors import Conflict, Invalid
from sotabench.server.repositories import remote
from sotabench.server.repositories.models import Delivery, Repository
from sotabench.server.repositories.payloads import Push, Said
from sotabench.server.repositories.services import check_branch, check_may_change, why_not_built
from sotabench.server.repositories.turns import turn


@transaction.atomic
def take_delivery(repository: Repository, said: Said, *, key: str, event: str) -> tuple[str, Build | None]:
    """What came of a message that was checked to be the host's: a sentence, and the build when there is one.

    Raises Conflict for a message that was taken before or is too old to know, and Invalid.
    """
    if isinstance(said, Push) and said.pushed_at and _is_too_old(said.pushed_at):
        raise Conflict(f"expected a push of the last {settings.KEEP_DAYS} days, found an older one")
    try:
        with transaction.atomic():
            delivery = Delivery.objects.create(repository=repository, key=key, event=event, outcome="")
    except IntegrityError as error:
        raise Conflict("expected a message that was not taken before") from error
    outcome, build = _outcome(repository, said)
    delivery.outcome = outcome[:500]
    delivery.save(update_fields=["outcome"])
    return outcome, build


def build_branch(user: User, repository: Repository, *, branch: str = "", is_full: bool = False) -> Build:
    """A build, now, of the newest commit of a branch; of another than the default one it is an unlisted preview.

    The host is asked which commit that is. Raises Forbidden, Conflict, Invalid, and Unanswered.
    """
    check_may_change(user, repository)
    wanted = check_branch(branch or repository.default_branch)
    if why := why_not_built(repository):
        raise Conflict(f"{repository} is not built: {why}")
    with turn(user):
        commit = remote.branch_head(repository, wanted)
    is_preview = wanted != repository.default_branch
    return build_now(user, repository, commit=commit, branch=wanted, is_preview=is_preview, is_full=is_full)


def forget_deliveries(now: datetime) -> int:
    """Forget which messages were taken so long ago that they would be too old now; how many."""
    before = now - timedelta(days=settings.KEEP_DAYS + 1)
    return Delivery.objects.filter(created_at__lt=before).delete()[0]


def _is_too_old(pushed_at: int) -> bool:
    return pushed_at < (timezone.now() - timedelta(days=settings.KEEP_DAYS)).timestamp()


def _outcome(repository: Repository, said: Said) -> tuple[str, Build | None]:
    _follow_name(repository, said.repository)
    if not isinstance(said, Push):
        return f"ignored: {said.reason}", None
    _follow_default_branch(repository, said.default_branch)
    if said.branch != repository.default_branch:
        return f"ignored: only {repository.default_branch} is built at a push", None
    build = build_push(repository, commit=said.commit, branch=said.branch)
    why = f" (skipped: {build.reason})" if build.status == Build.Status.SKIPPED else ""
    return f"build #{build.number}{why}", build


def _follow_name(repository: Repository, name: str) -> None:
    """Note that the host calls it otherwise now. It keeps its name here until the new one is proven.

    A webhook's word is its owner's word: taken for a proof, it would put results under a name that he does not have.
    """
    moved = "" if not name or name.lower() == str(repository).lower() else name[:300]
    if name and moved != repository.moved_to:
        repository.moved_to = moved
        repository.save(update_fields=["moved_to"])


def _follow_default_branch(repository: Repository, branch: str) -> None:
    if not branch or branch == repository.default_branch:
        return
    try:
        repository.default_branch = check_branch(branch)
    except Invalid:
        return
    repository.save(update_fields=["default_branch"])
