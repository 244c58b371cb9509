"""What can be asked about repositories."""

from django.contrib.auth.models import AnonymousUser
from django.db.models import Q, QuerySet

from sotabench.server.accounts.models import User
from sotabench.server.errors import NotFound
from sotabench.server.repositories.models import Repository
from sotabench.server.repositories.services import Identity

Viewer = User | AnonymousUser


def visible_to(viewer: Viewer, *, prefix: str = "") -> Q:
    """The condition that a repository may be seen; `prefix` is the way to it from the model that is asked."""
    if viewer.is_authenticated and viewer.is_superuser:
        return Q()
    public = Q(**{f"{prefix}is_public": True})
    return public | Q(**{f"{prefix}owner": viewer.pk}) if viewer.is_authenticated else public


def repositories_for(viewer: Viewer) -> QuerySet[Repository]:
    """All repositories that the viewer may see."""
    return Repository.objects.filter(visible_to(viewer)).select_related("owner")


def repository_for(viewer: Viewer, identity: Identity) -> Repository:
    """The repository; NotFound when there is none or the viewer may not see it: the two look the same."""
    found = repositories_for(viewer).filter(
        host__iexact=identity.host, owner_name__iexact=identity.owner_name, name__iexact=identity.name
    )
    if repository := found.first():
        return repository
    raise NotFound(f"expected a repository that you may see, found none named {identity.owner_name}/{identity.name}")
