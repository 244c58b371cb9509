"""Where the pages of repositories and builds are: the host is named unless it is the site's default one."""

from django.conf import settings
from django.urls import reverse

from sotabench.server.builds.models import Build
from sotabench.server.repositories.models import Repository


def identity_path(repository: Repository) -> str:
    """`owner/name`, or `host/owner/name` where that is needed to tell which host is meant."""
    short = repository.host == settings.DEFAULT_GIT_HOST and "/" not in repository.owner_name
    return str(repository) if short else f"{repository.host}/{repository}"


def repository_url(repository: Repository) -> str:
    """The page of the repository."""
    return reverse("repository", args=[repository.owner.username, identity_path(repository)])


def build_url(build: Build) -> str:
    """The page of the build."""
    return reverse("build", args=[identity_path(build.repository), build.number])
