"""What can be asked about repositories."""

from django.contrib.auth.models import AnonymousUser
from django.db.models import Q, QuerySet

from sotabench.server.accounts.models import User
from sotabench.server.errors import NotFound
from sotabench.server.repositories.identity import Identity
from sotabench.server.repositories.models import Repository

Viewer = User | AnonymousUser


def hidden_from(viewer: Viewer) -> QuerySet[Repository]:
    """The repositories that the viewer may not see; on most sites they are the few, and quickly looked up."""
    if viewer.is_authenticated and viewer.is_superuser:
        return Repository.objects.none()
    private = Repository.objects.filter(is_public=False)
    return private.exclude(owner=viewer.pk) if viewer.is_authenticated else private


def visible_to(viewer: Viewer, *, repository: str = "repository") -> Q:
    """The condition that the viewer may see what belongs to a repository; `repository` is the way to it.

    It needs no join: an index that holds the repository's key answers it.
    """
    return ~Q(**{f"{repository}__in": hidden_from(viewer)})


def repositories_for(viewer: Viewer) -> QuerySet[Repository]:
    """All repositories that the viewer may see."""
    return Repository.objects.exclude(pk__in=hidden_from(viewer)).select_related("owner")


def repository_for(viewer: Viewer, identity: Identity) -> Repository:
    """The repository; NotFound when there is none or the viewer may not see it: the two look the same."""
    found = repositories_for(viewer).filter(
        host__iexact=identity.host, owner_name__iexact=identity.owner_name, name__iexact=identity.name
    )
    if repository := found.first():
        return repository
    raise NotFound(f"expected a repository that you may see, found none named {identity.owner_name}/{identity.name}")
