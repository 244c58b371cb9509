"""What can be asked about builds."""

from django.db.models import QuerySet

from sotabench.server.builds.models import Build
from sotabench.server.errors import NotFound
from sotabench.server.repositories.models import Repository
from sotabench.server.repositories.queries import Viewer, visible_to


def builds_for(viewer: Viewer) -> QuerySet[Build]:
    """All builds that the viewer may see, with their repositories."""
    return Build.objects.filter(visible_to(viewer)).select_related("repository__owner")


def builds_of(repository: Repository) -> QuerySet[Build]:
    """The repository's builds, newest first; whoever calls has checked that it may be seen."""
    return repository.builds.select_related("requested_by").order_by("-number")


def build_of(repository: Repository, number: int) -> Build:
    """One build of the repository. Raises NotFound."""
    if build := builds_of(repository).filter(number=number).first():
        return build
    raise NotFound(f"expected a build of {repository}, found none with number {number}")
