"""`/api/v1/`: everything that the pages show, and the way for results to come in; described by its OpenAPI page."""

import tempfile
from pathlib import Path
from typing import Any, cast

from django.db import transaction
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from ninja import File, Form, Query, Schema
from ninja.files import UploadedFile
from ninja.pagination import paginate
from pydantic import Field

from sotabench.server.accounts.models import Scope, User
from sotabench.server.accounts.queries import user_by_name
from sotabench.server.api.gate import Key, LongKey, Text, TokenFor, api_of, kept_upload
from sotabench.server.api.paging import Pages
from sotabench.server.api.v1_beside import LeaderboardIn, LeaderboardPages, RankedResultOut, ResultPages
from sotabench.server.api.v1_repositories import router
from sotabench.server.api.v1_results import router as results
from sotabench.server.api.v1_shapes import (
    BenchmarkOut,
    BuildOut,
    LogOut,
    PaperOut,
    ReportedOut,
    RepositoryOut,
    UserOut,
    UserRepositoryOut,
)
from sotabench.server.benchmarks.models import Benchmark, Result
from sotabench.server.benchmarks.ordered import Ordered
from sotabench.server.benchmarks.queries import (
    benchmark_for,
    counted_benchmarks,
    counted_repositories,
    current_results,
    leaderboard,
    results_for,
    results_of_paper,
)
from sotabench.server.benchmarks.submissions import Submission, check_submission, store_submission
from sotabench.server.builds.models import Build
from sotabench.server.builds.queries import LogPart, build_of, builds_of, log_of
from sotabench.server.builds.services import build_again, cancel_build
from sotabench.server.errors import Invalid, NotFound
from sotabench.server.papers.models import Paper, ReportedResult
from sotabench.server.papers.queries import paper_by_slug, reported_by, reported_on
from sotabench.server.papers.spelling import arxiv_id
from sotabench.server.repositories.identity import identity_of
from sotabench.server.repositories.models import Repository
from sotabench.server.repositories.queries import repositories_for
from sotabench.server.repositories.services import check_may_connect, connect_repository

MOST_BYTES_A_SUBMISSION = 512 << 20
MOST_BYTES_OF_RECORDS = 16 << 20

api = api_of(
    "sotabench",
    "1",
    "Benchmarks, papers, repositories, builds and results. Reading needs no token where things are public; a write "
    "needs one in `Authorization: Bearer`. A refusal is `{errors: [...]}` with status 400, else `{message}`.",
)


class SubmissionIn(Schema):
    """Which commit the records are of."""

    repository: Text = Field(description="owner/name or host/owner/name")
    commit: Text
    branch: Text = ""
    public: bool = Field(default=True, description="of a repository that this site does not know yet")


class SubmittedOut(Schema):
    """The build that the records became, and its results."""

    repository_id: int
    build: BuildOut
    results: list[int]


@router.get("benchmarks", response=list[BenchmarkOut])
@paginate(Pages)
def benchmarks(request: HttpRequest, search: Text = "") -> QuerySet[Benchmark]:
    """The benchmarks that this site lists."""
    wanted = Q(task__icontains=search) | Q(dataset__icontains=search)
    return counted_benchmarks(request.user).filter(wanted).select_related("variant_of")


@router.get("benchmarks/{slug}", response=BenchmarkOut)
def benchmark(request: HttpRequest, slug: Text) -> Benchmark:
    """One benchmark."""
    return benchmark_for(request.user, slug)


@router.get("benchmarks/{slug}/results", response=list[RankedResultOut])
@paginate(LeaderboardPages)
def benchmark_results(request: HttpRequest, slug: Text, asked: Query[LeaderboardIn]) -> Ordered:
    """The leaderboard: current results, best first, or as it is asked for; without a figure to order by comes last."""
    found = benchmark_for(request.user, slug)
    return asked.of(leaderboard(found, request.user), list(found.metrics.all()))


@router.get("benchmarks/{slug}/reported", response=list[ReportedOut])
@paginate(Pages)
def benchmark_reported(request: HttpRequest, slug: Text, search: Text = "") -> QuerySet[ReportedResult]:
    """What papers and catalogues report, best first; of a variant, what they report on the whole."""
    found = benchmark_for(request.user, slug)
    return reported_on((found.variant_of or found).slug).filter(model_name__icontains=search)


@router.get("papers", response=list[PaperOut])
@paginate(Pages)
def papers(request: HttpRequest, search: Text = "") -> QuerySet[Paper]:
    """Papers by title; `search` looks for words of the title or an arXiv id."""
    return Paper.objects.filter(Q(title__icontains=search) | Q(arxiv_id=arxiv_id(search) or search))


@router.get("papers/{slug}", response=PaperOut)
def paper(request: HttpRequest, slug: Text) -> Paper:
    """One paper."""
    return paper_by_slug(slug)


@router.get("papers/{slug}/reported", response=list[ReportedOut])
@paginate(Pages)
def paper_reported(request: HttpRequest, slug: Text) -> QuerySet[ReportedResult]:
    """What the paper itself reports."""
    return reported_by(paper_by_slug(slug)).select_related("paper")


@router.get("papers/{slug}/results", response=list[RankedResultOut])
@paginate(ResultPages)
def paper_results(request: HttpRequest, slug: Text) -> QuerySet[Result]:
    """The current results of repositories that name the paper."""
    return results_of_paper(paper_by_slug(slug), request.user)


@router.get("users/{username}", response=UserOut)
def user(request: HttpRequest, username: Text) -> dict[str, Any]:
    """One user of this site."""
    found = user_by_name(username)
    count = repositories_for(request.user).filter(owner=found).count()
    return {"username": found.username, "repository_count": count}


@router.get("users/{username}/repositories", response=list[UserRepositoryOut])
@paginate(Pages)
def user_repositories(request: HttpRequest, username: Text) -> QuerySet[Repository]:
    """The repositories of a user, each with how many current results it has."""
    return counted_repositories(user_by_name(username), request.user)


@router.get("repositories", response=list[RepositoryOut])
@paginate(Pages)
def repositories(request: HttpRequest, name: Text = "", owner: Text = "") -> QuerySet[Repository]:
    """Repositories that the asker may see; `name` is one's `[host/]owner/name`, `owner` a user of this site."""
    found = repositories_for(request.user)
    if name:
        identity = identity_of(name)
        found = found.filter(
            host__iexact=identity.host, owner_name__iexact=identity.owner_name, name__iexact=identity.name
        )
    return found.filter(owner__username__iexact=owner) if owner else found


@router.get("repositories/{key}", response=RepositoryOut)
def repository(request: HttpRequest, key: Key) -> Repository:
    """One repository."""
    return _repository(request, key)


@router.get("repositories/{key}/results", response=list[RankedResultOut])
@paginate(ResultPages)
def repository_results(request: HttpRequest, key: Key) -> QuerySet[Result]:
    """The repository's current results."""
    return current_results(_repository(request, key))


@router.get("repositories/{key}/builds", response=list[BuildOut])
@paginate(Pages)
def builds(request: HttpRequest, key: Key) -> QuerySet[Build]:
    """The repository's builds, newest first."""
    return builds_of(_repository(request, key))


@router.get("repositories/{key}/builds/{number}", response=BuildOut)
def build(request: HttpRequest, key: Key, number: Key) -> Build:
    """One build."""
    return build_of(_repository(request, key), number)


@router.get("repositories/{key}/builds/{number}/results", response=list[RankedResultOut])
@paginate(ResultPages)
def build_results(request: HttpRequest, key: Key, number: Key) -> QuerySet[Result]:
    """The results that came out of a build."""
    return results_for(request.user).filter(build=build_of(_repository(request, key), number))


@router.post("repositories/{key}/builds/{number}/cancel", response=BuildOut, auth=TokenFor(Scope.MANAGE))
def stop_build(request: HttpRequest, key: Key, number: Key) -> Build:
    """The build, given up; one that has ended cannot be."""
    found = build_of(_repository(request, key), number)
    cancel_build(cast("User", request.user), found)
    return found


@router.post("repositories/{key}/builds/{number}/again", response=BuildOut, auth=TokenFor(Scope.MANAGE))
def start_again(request: HttpRequest, key: Key, number: Key, full: bool = False) -> Build:  # noqa: FBT001, FBT002 - a parameter
    """A new build of the same commit; with `full`, nothing is carried over from earlier ones."""
    return build_again(cast("User", request.user), build_of(_repository(request, key), number), is_full=full)


@router.get("repositories/{key}/builds/{number}/log", response=LogOut)
def build_log(request: HttpRequest, key: Key, number: Key, after: LongKey = 0) -> LogPart:
    """The build's log behind `after`; ask again with `next` until `is_over`."""
    return log_of(build_of(_repository(request, key), number), after=after)


@router.post("submissions", response=SubmittedOut, auth=TokenFor(Scope.SUBMIT))
def submit(
    request: HttpRequest,
    facts: Form[SubmissionIn],
    records: File[UploadedFile],
    predictions: File[list[UploadedFile]] = [],  # noqa: B006 - it is only read; None would be no list of files
) -> dict[str, Any]:
    """Results that were computed elsewhere come in: every record or none, all marked self-reported.

    `records` is a JSON list; each of `predictions` is a file that a record names. A repository that the site does not
    know yet becomes the submitter's.
    """
    if sum(file.size or 0 for file in [records, *predictions]) > MOST_BYTES_A_SUBMISSION:
        raise Invalid(f"expected at most {MOST_BYTES_A_SUBMISSION} bytes, found more; submit in several steps")
    if (records.size or 0) > MOST_BYTES_OF_RECORDS:
        raise Invalid(f"expected at most {MOST_BYTES_OF_RECORDS} bytes of records, found more")
    user, identity = cast("User", request.user), identity_of(facts.repository)
    check_may_connect(user, identity, is_public=facts.public)
    with tempfile.TemporaryDirectory() as folder:
        files = {file.name or "": kept_upload(file, Path(folder) / str(no)) for no, file in enumerate(predictions)}
        checked = check_submission(user, Submission(facts.commit, records.read(), files, facts.branch))
    with transaction.atomic():  # a refused submission connects no repository
        found = connect_repository(user, identity, is_public=facts.public)
        made = store_submission(user, found, checked)
    keys = list(made.results.order_by("pk").values_list("pk", flat=True))
    return {"repository_id": found.pk, "build": made, "results": keys}


def _repository(request: HttpRequest, key: int) -> Repository:
    if found := repositories_for(request.user).filter(pk=key).first():
        return found
    raise NotFound(f"expected a repository that you may see, found none with number {key}")


api.add_router("", router)
api.add_router("", results)
