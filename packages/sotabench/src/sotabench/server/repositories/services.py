"""What happens to repositories: they are connected, and their owner changes what may be changed."""

from dataclasses import dataclass

from django.conf import settings
from django.contrib.auth.models import AnonymousUser
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction

from sotabench.server.accounts.models import User
from sotabench.server.errors import Forbidden, Invalid
from sotabench.server.repositories.models import Repository


@dataclass(frozen=True)
class Identity:
    """A repository's host, owner and name."""

    host: str
    owner_name: str
    name: str


def identity_of(text: str) -> Identity:
    """The identity in `owner/name`, `host/owner/name` or `https://host/owner/name[.git]`.

    Without a host it is the site's default one. Raises Invalid when it is none of these.
    """
    plain = text.strip().removeprefix("https://").removesuffix("/").removesuffix(".git")
    parts = plain.split("/")
    if len(parts) < 2 or not all(parts):
        raise Invalid(f"expected a repository as owner/name or host/owner/name, found {text[:200]!r}")
    if len(parts) == 2:
        return Identity(settings.DEFAULT_GIT_HOST, parts[0], parts[1])
    return Identity(parts[0].lower(), "/".join(parts[1:-1]), parts[-1])


def connect_repository(user: User, identity: Identity, *, is_public: bool = True) -> Repository:
    """The repository of this identity, made the user's own when nobody has it yet.

    Raises Invalid for names that no host has, Forbidden when it is somebody else's.
    """
    found = _find(identity)
    if found is None:
        made = Repository(
            host=identity.host, owner_name=identity.owner_name, name=identity.name, owner=user, is_public=is_public
        )
        try:
            made.full_clean(validate_constraints=False)
            with transaction.atomic():
                made.save()
        except ValidationError as error:
            raise Invalid("; ".join(error.messages)) from error
        except IntegrityError:  # somebody else was first, a moment ago
            found = _find(identity)
    found = found or made
    check_may_change(user, found)
    return found


def _find(identity: Identity) -> Repository | None:
    return Repository.objects.filter(
        host__iexact=identity.host, owner_name__iexact=identity.owner_name, name__iexact=identity.name
    ).first()


def check_may_change(user: User, repository: Repository) -> None:
    """Raise Forbidden unless the user owns the repository here, or the site."""
    if not may_change(user, repository):
        raise Forbidden(f"expected the owner of {repository} on this site; ask its owner, or the owner of the site")


def may_change(viewer: User | AnonymousUser, repository: Repository) -> bool:
    """Whether the viewer owns the repository here, or the site."""
    return viewer.is_authenticated and (repository.owner_id == viewer.pk or viewer.is_superuser)


def set_build_enabled(user: User, repository: Repository, *, enabled: bool) -> None:
    """Turn building at every push on or off. Raises Forbidden."""
    check_may_change(user, repository)
    repository.build_enabled = enabled
    repository.save(update_fields=["build_enabled"])


def set_public(user: User, repository: Repository, *, is_public: bool) -> None:
    """Show the repository and its results to everybody, or to its owner alone. Raises Forbidden."""
    check_may_change(user, repository)
    repository.is_public = is_public
    repository.save(update_fields=["is_public"])


def why_not_built(repository: Repository) -> str:  # noqa: ARG001 - conditions come with proof of control and quotas
    """Why the site does not build this repository now, as a clause; empty when it does."""
    return ""
