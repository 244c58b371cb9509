"""What happens to repositories: they are named, and their owner changes what may be changed."""

from datetime import timedelta

from django.conf import settings
from django.contrib.auth.models import AnonymousUser
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.db.models import Q, QuerySet
from django.utils import timezone

from sotabench.server.accounts.models import User
from sotabench.server.errors import Conflict, Forbidden, Invalid
from sotabench.server.outgoing import Unanswered, check_url
from sotabench.server.repositories.identity import Identity
from sotabench.server.repositories.models import Drain, Keys, Repository, Watch

_CHANGEABLE = frozenset(
    {
        "default_branch",
        "is_public",
        "build_enabled",
        "is_polled",
        "has_network",
        "tells_breaks",
        "tells_falls",
        "tells_by_mail",
        "tells_url",
    }
)


def connect_repository(user: User, identity: Identity, *, is_public: bool = True, clone_url: str = "") -> Repository:
    """The repository of this identity, made the user's own when nobody has it yet.

    So the first to name a repository may submit for it. It is built for nobody until control was proven, and who proves
    it takes it over: `proofs`. Raises Invalid for names that no host has, and as `check_may_connect`.
    """
    found = repository_named(identity)
    if found is None:
        made = Repository(
            host=identity.host,
            owner_name=identity.owner_name,
            name=identity.name,
            owner=user,
            is_public=is_public,
            clone_url=clone_url,
        )
        check_fields(made)
        try:
            with transaction.atomic():
                made.save()
        except IntegrityError:  # somebody else was first, a moment ago
            found = repository_named(identity)
    found = found or made
    _check_is_as_wanted(user, found, is_public=is_public)
    return found


def check_may_connect(user: User, identity: Identity, *, is_public: bool = True) -> None:
    """Raise Forbidden when it is somebody else's, Conflict when it should be private and everybody sees it already."""
    if found := repository_named(identity):
        _check_is_as_wanted(user, found, is_public=is_public)


def _check_is_as_wanted(user: User, found: Repository, *, is_public: bool) -> None:
    check_may_change(user, found)
    if found.is_public and not is_public:
        raise Conflict(f"expected {found} to be private, found it public; make it private on its page first")


def repository_named(identity: Identity) -> Repository | None:
    """The repository, whoever may see it."""
    return Repository.objects.filter(
        host__iexact=identity.host, owner_name__iexact=identity.owner_name, name__iexact=identity.name
    ).first()


def check_fields(repository: Repository) -> None:
    """Raise Invalid for names and addresses that cannot be."""
    try:
        repository.full_clean(validate_constraints=False)
    except ValidationError as error:
        raise Invalid("; ".join(error.messages)) from error


def check_may_change(user: User, repository: Repository) -> None:
    """Raise Forbidden unless the user owns the repository here, or the site."""
    if not may_change(user, repository):
        raise Forbidden(f"expected the owner of {repository} on this site; ask its owner, or the owner of the site")


def may_change(viewer: User | AnonymousUser, repository: Repository) -> bool:
    """Whether the viewer owns the repository here, or the site."""
    return viewer.is_authenticated and (repository.owner_id == viewer.pk or viewer.is_superuser)


def change_repository(user: User, repository: Repository, **changes: str | bool) -> None:
    """Change what its owner may change. Raises Forbidden, and Invalid for a value that cannot be."""
    check_may_change(user, repository)
    if unknown := changes.keys() - _CHANGEABLE:
        raise TypeError(f"expected fields that an owner may change, found {sorted(unknown)}")
    for name, value in changes.items():
        setattr(repository, name, value)
    check_branch(repository.default_branch)
    if changes.get("tells_url"):
        _check_tells_url(repository.tells_url)
    check_fields(repository)
    repository.save(update_fields=list(changes))


def _check_tells_url(url: str) -> None:
    try:
        check_url(url)
    except Unanswered as error:
        raise Invalid(str(error)) from error
    if not url.startswith("https://"):
        raise Invalid("expected an https address to send notices to")


def set_build_enabled(user: User, repository: Repository, *, enabled: bool) -> None:
    """Turn building at every push on or off. Raises Forbidden."""
    change_repository(user, repository, build_enabled=enabled)


def set_public(user: User, repository: Repository, *, is_public: bool) -> None:
    """Show the repository and its results to everybody, or to its owner alone. Raises Forbidden."""
    change_repository(user, repository, is_public=is_public)


def check_branch(name: str) -> str:
    """The name, if git allows a branch to have it (git-check-ref-format). Raises Invalid."""
    bad = any(letter in name for letter in "~^:?*[\\") or not name.isprintable() or " " in name
    parts = name.split("/")
    if bad or "@{" in name or ".." in name or name == "@" or len(name) > 255:
        raise Invalid(f"expected the name of a branch, found {name[:100]!r}")
    if any(not part or part.startswith((".", "-")) or part.endswith((".", ".lock")) for part in parts):
        raise Invalid(f"expected the name of a branch, found {name[:100]!r}")
    return name


def approve(repository: Repository) -> None:
    """The site's owner allows that the repository is built."""
    Repository.objects.filter(pk=repository.pk, approved_at=None).update(approved_at=timezone.now())
    repository.refresh_from_db(fields=["approved_at"])


def withdraw_approval(repository: Repository) -> None:
    """The site's owner no longer allows that the repository is built."""
    repository.approved_at = None
    repository.save(update_fields=["approved_at"])


def disconnect(user: User, repository: Repository) -> None:
    """Build it no more and forget its secrets; results and builds stay. Raises Forbidden, Conflict while one runs."""
    check_may_change(user, repository)
    if repository.builds.filter(status__in=["queued", "running"]).exists():
        raise Conflict("expected no build that waits or runs; cancel it first")
    let_go(repository)
    repository.save()


def let_go(repository: Repository) -> None:
    """Make it one that nobody has proven: without secrets, approval, opt-ins and addresses. The caller saves it."""
    Keys.objects.filter(repository=repository).delete()
    Watch.objects.filter(repository=repository).delete()
    repository.proven_by, repository.proven_at, repository.approved_at = "", None, None
    repository.moved_to, repository.tells_url, repository.has_network = "", "", False


def drain(*, on: bool, reason: str = "") -> None:
    """Begin to build nothing new, or end that."""
    Drain.objects.all().delete()
    if on:
        Drain.objects.create(reason=reason[:300])


def is_draining() -> bool:
    """Whether nothing new is built, by the setting or by the command."""
    return bool(settings.DRAIN) or Drain.objects.exists()


def why_not_built(repository: Repository) -> str:
    """Why the site does not build this repository now, as a clause; empty when it does."""
    return "the site takes no new builds for now" if is_draining() else why_refused(repository)


def why_refused(repository: Repository) -> str:
    """Why a build of this repository may not even wait, as a clause; empty when it may."""
    if repository.moved_to:
        return f"its host says that it is now {repository.moved_to}: connect it under that name"
    if not repository.proven_by:
        return "nobody has shown yet that they control it: see its settings"
    if settings.BUILD_APPROVAL and repository.approved_at is None and not repository.owner.is_superuser:
        return "the site's owner has not approved it yet"
    return _what_is_used_up(repository)


def with_builds_that_may_begin() -> QuerySet[Repository]:
    """The repositories that `why_refused` has nothing against, but for what they used up."""
    found = Repository.objects.filter(moved_to="").exclude(proven_by="")
    return found.filter(Q(owner__is_superuser=True) | ~Q(approved_at=None)) if settings.BUILD_APPROVAL else found


def _what_is_used_up(repository: Repository) -> str:
    if repository.builds.filter(status="queued").count() >= settings.BUILDS_WAITING:
        return f"{settings.BUILDS_WAITING} builds of it are waiting already"
    if (used := hours_used(repository)) >= settings.BUILD_HOURS:
        return f"it used {used:.1f} of its {settings.BUILD_HOURS} hours in the last 30 days"
    return ""


def hours_used(repository: Repository) -> float:
    """How long its builds ran in the last 30 days, in hours."""
    now = timezone.now()
    since = now - timedelta(days=30)
    found = repository.builds.filter(attempts__started_at__gte=since)
    spans = found.values_list("attempts__started_at", "attempts__ended_at")
    return sum(((end or now) - start).total_seconds() for start, end in spans) / 3600
