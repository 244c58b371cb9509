"""What can be asked about builds."""

from dataclasses import dataclass

from django.db.models import QuerySet

from sotabench.server.builds.models import Attempt, Build, LogChunk
from sotabench.server.errors import NotFound
from sotabench.server.repositories.models import Repository
from sotabench.server.repositories.queries import Viewer, visible_to

UNDER_WAY = frozenset({Build.Status.QUEUED, Build.Status.RUNNING, Build.Status.RECEIVING})
MOST_CHUNKS = 1_000


def builds_for(viewer: Viewer) -> QuerySet[Build]:
    """All builds that the viewer may see, with their repositories."""
    return Build.objects.filter(visible_to(viewer)).select_related("repository__owner").defer("inputs")


def builds_of(repository: Repository) -> QuerySet[Build]:
    """The repository's builds, newest first; whoever calls has checked that it may be seen."""
    return repository.builds.select_related("requested_by").defer("inputs").order_by("-number")


def build_of(repository: Repository, number: int) -> Build:
    """One build of the repository. Raises NotFound."""
    if build := builds_of(repository).filter(number=number).first():
        return build
    raise NotFound(f"expected a build of {repository}, found none with number {number}")


@dataclass(frozen=True)
class LogPart:
    """Some of a build's log; `next` is what to ask for to read on, `is_over` that there will be no more."""

    text: str
    next: int
    is_over: bool
    status: str
    stage: str


def log_of(build: Build, *, after: int = 0, most: int = MOST_CHUNKS) -> LogPart:
    """The log's text behind the chunk with the key `after`, of all attempts in order; at most so many chunks."""
    chunks = list(LogChunk.objects.filter(attempt__build=build, pk__gt=after).order_by("pk")[:most])
    attempt = open_attempt(build)
    return LogPart(
        text="".join(f"{chunk.text}\n" for chunk in chunks),
        next=chunks[-1].pk if chunks else after,
        is_over=len(chunks) < most and build.status not in UNDER_WAY,
        status=build.get_status_display(),
        stage=attempt.get_stage_display() if attempt else "",
    )


def attempts_of(build: Build) -> QuerySet[Attempt]:
    """The build's attempts in order, with their runners."""
    return build.attempts.select_related("runner").order_by("number")


@dataclass(frozen=True)
class Conditions:
    """How a build was run."""

    is_trusting: bool
    had_network: bool


def conditions_of(build: Build) -> Conditions:
    """Those of all its attempts together, for each of them may have brought results; none where they were submitted."""
    found = list(build.attempts.values_list("is_trusting", "had_network"))
    return Conditions(any(trusting for trusting, _ in found), any(network for _, network in found))


def open_attempt(build: Build) -> Attempt | None:
    """The attempt that is running the build, if one is."""
    return build.attempts.filter(ended_at=None).first()
