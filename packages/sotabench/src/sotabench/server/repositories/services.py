"""What happens to repositories: they are connected, and their owner changes what may be changed."""

import re
from dataclasses import dataclass

from django.conf import settings
from django.contrib.auth.models import AnonymousUser
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction

from sotabench.server.accounts.models import User
from sotabench.server.errors import Conflict, Forbidden, Invalid
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
    plain = re.sub(r"(?:\.git)+\Z", "", text.strip().removeprefix("https://").removesuffix("/"))
    parts = plain.split("/")
    if len(parts) < 2 or not all(parts):
        raise Invalid(f"expected a repository as owner/name or host/owner/name, found {text[:200]!r}")
    if len(parts) == 2:
        return Identity(settings.DEFAULT_GIT_HOST, parts[0], parts[1])
    return Identity(parts[0].lower(), "/".join(parts[1:-1]), parts[-1])


def connect_repository(user: User, identity: Identity, *, is_public: bool = True) -> Repository:
    """The repository of this identity, made the user's own when nobody has it yet.

    Raises Invalid for names that no host has, and as `check_may_connect`.
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
    _check_is_as_wanted(user, found, is_public=is_public)
    return found


def check_may_connect(user: User, identity: Identity, *, is_public: bool = True) -> None:
    """Raise Forbidden when it is somebody else's, Conflict when it should be private and everybody sees it already."""
    if found := _find(identity):
        _check_is_as_wanted(user, found, is_public=is_public)


def _check_is_as_wanted(user: User, found: Repository, *, is_public: bool) -> None:
    check_may_change(user, found)
    if found.is_public and not is_public:
        raise Conflict(f"expected {found} to be private, found it public; make it private on its page first")


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
