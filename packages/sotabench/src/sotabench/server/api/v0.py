"""`/api/v0/`: the calls of the `sotabenchapi` client that is on PyPI, as that client speaks them.

Success is status 200 always; every address but the badge's ends with a slash.
"""

from typing import TYPE_CHECKING, Annotated, Any, cast

from allauth.account.adapter import get_adapter
from django.contrib.auth.models import AnonymousUser
from django.core.exceptions import ValidationError
from django.http import HttpRequest, JsonResponse
from ninja import Body, Schema
from ninja.errors import AuthenticationError, HttpError
from pydantic import Field

from benchrecord import InvalidRecord, printable, validate_record
from sotabench.server.accounts.models import Scope, User
from sotabench.server.accounts.services import create_token
from sotabench.server.api.gate import Key, Text, TokenFor, api_of
from sotabench.server.api.v0_uploads import router as uploads
from sotabench.server.benchmarks.models import Benchmark
from sotabench.server.benchmarks.queries import benchmark_for, current_results, listed_benchmarks
from sotabench.server.builds.models import Build
from sotabench.server.builds.pushes import build_branch
from sotabench.server.builds.queries import build_of, builds_of
from sotabench.server.datasets.models import Dataset
from sotabench.server.datasets.queries import dataset_of, datasets_of
from sotabench.server.datasets.services import delete_dataset
from sotabench.server.errors import Invalid, NotFound
from sotabench.server.repositories.identity import identity_of
from sotabench.server.repositories.models import Repository
from sotabench.server.repositories.queries import repositories_for, repository_for
from sotabench.server.repositories.services import check_may_change, set_build_enabled

if TYPE_CHECKING:
    from sotabench.server.accounts.middleware import SiteRequest

MOST_LISTED = 1000
Json = dict[str, Any]

api = api_of("sotabench, first version", "0", "What the published client speaks.", openapi_url=None, docs_url=None)
api.add_router("", uploads)


class Credentials(Schema):
    """Who wants a token."""

    username: Text
    password: Text


class Records(Schema):
    """Records as a first look at them: nothing may have been measured yet."""

    results: list[Json] = Field(max_length=200)


class Hashes(Schema):
    """Hashes of first batches."""

    hashes: list[Text] = Field(max_length=1000)


class RepositoryChange(Schema):
    """What of a repository may be changed here."""

    build_enabled: bool


class BranchName(Schema):
    """Which branch is to be built; the default one when empty."""

    branch: Text = ""


class DatasetName(Schema):
    """Which data set of a repository."""

    dataset: Text


@api.post("auth/token/")
def log_in(request: HttpRequest, credentials: Credentials) -> Json:
    """A token for a user's password; failures are counted, as on the sign-in page."""
    try:
        user = get_adapter().authenticate(request, username=credentials.username, password=credentials.password)
    except ValidationError as error:
        raise HttpError(429, "; ".join(error.messages)) from error
    if user is None:
        raise AuthenticationError(message="expected a user's name and password, found no user who has both")
    _, text = create_token(cast("User", user), name="signed in from a program")
    return {"token": text}


@api.post("check/results/")
def check_results(request: HttpRequest, body: Records) -> Json:
    """What would be refused in these records; nothing is stored."""
    errors = [f"record {number}: {error}" for number, record in enumerate(body.results) if (error := _error_in(record))]
    return {"response": {"errors": [{"error": error} for error in errors]}}


@api.post("check/run-hashes/")
def check_run_hashes(request: HttpRequest, body: Hashes) -> dict[str, bool]:
    """False for each: a first batch proves nothing about the rest, so that no evaluation is skipped for one."""
    return dict.fromkeys(body.hashes, False)


@api.get("check/get_results_by_hash/")
def results_by_hash(request: HttpRequest, run_hash: Text) -> Json:
    """Nothing, for the same reason."""
    return {}


@api.get("repositories/")
def repositories(request: HttpRequest) -> list[Json]:
    """The repositories that the asker may see."""
    return [repository_json(found) for found in repositories_for(request.user)[:MOST_LISTED]]


@api.get("repositories/{username}/")
def repositories_of_user(request: HttpRequest, username: Text) -> list[Json]:
    """Those of one user of this site, or of one owner on a git host."""
    found = repositories_for(request.user)
    of_user = found.filter(owner__username__iexact=username) | found.filter(owner_name__iexact=username)
    return [repository_json(repository) for repository in of_user[:MOST_LISTED]]


@api.get("repositories/{owner}/{name}/")
def repository(request: HttpRequest, owner: Text, name: Text) -> Json:
    """One repository."""
    return repository_json(_repository(request, owner, name))


@api.patch("repositories/{owner}/{name}/", auth=TokenFor(Scope.MANAGE))
def change_repository(request: HttpRequest, owner: Text, name: Text, change: RepositoryChange) -> Json:
    """The repository, with builds at every push turned on or off."""
    found = _repository(request, owner, name)
    set_build_enabled(cast("User", request.user), found, enabled=change.build_enabled)
    return repository_json(found)


@api.get("repositories/{owner}/{name}/datasets/")
def datasets(request: HttpRequest, owner: Text, name: Text, dataset: Text = "") -> Any:
    """The repository's data sets, or one of them."""
    found = _repository(request, owner, name)
    if dataset:
        return dataset_json(dataset_of(found, dataset))
    return [dataset_json(one) for one in datasets_of(found)[:MOST_LISTED]]


@api.delete("repositories/{owner}/{name}/datasets/", auth=TokenFor(Scope.SUBMIT))
def remove_dataset(request: HttpRequest, owner: Text, name: Text, body: Annotated[DatasetName, Body()]) -> Json:
    """Delete one data set."""
    found = _repository(request, owner, name)
    check_may_change(cast("User", request.user), found)
    delete_dataset(cast("User", request.user), dataset_of(found, body.dataset))
    return {"status": "OK"}


@api.post("builds/{owner}/{name}/", auth=TokenFor(Scope.MANAGE))
def start_build(request: HttpRequest, owner: Text, name: Text, body: BranchName | None = None) -> Json:
    """A build of the newest commit of the default branch, or of `branch`: an unlisted preview."""
    found = _repository(request, owner, name)
    return build_json(build_branch(cast("User", request.user), found, branch=body.branch if body else ""))


@api.get("builds/{owner}/{name}/")
def builds(request: HttpRequest, owner: Text, name: Text) -> list[Json]:
    """The repository's builds, newest first."""
    found = builds_of(_repository(request, owner, name))[:MOST_LISTED]
    return [build_json(build) for build in found]


@api.get("builds/{owner}/{name}/{run_number}/")
def build(request: HttpRequest, owner: Text, name: Text, run_number: Key) -> Json:
    """One build."""
    return build_json(build_of(_repository(request, owner, name), run_number))


@api.get("benchmarks/")
def benchmarks(request: HttpRequest) -> list[Json]:
    """The benchmarks that this site lists."""
    return [benchmark_json(found) for found in listed_benchmarks()[:MOST_LISTED]]


@api.get("benchmarks/{slug}/")
def benchmark(request: HttpRequest, slug: Text) -> Json:
    """One benchmark."""
    return benchmark_json(benchmark_for(request.user, slug))


@api.get("badge/gh/{owner}/{name}")
def badge(request: HttpRequest, owner: Text, name: Text) -> JsonResponse:
    """What shields.io draws for a public repository on GitHub: its best figure, and whose word it is."""
    return _badge_of(f"github.com/{owner}/{name}")


@api.get("badge/{path:identity}")
def badge_on_any_host(request: HttpRequest, identity: Text) -> JsonResponse:
    """The same for one on any host: `host/owner/name`."""
    return _badge_of(identity)


def _badge_of(identity: str) -> JsonResponse:
    try:
        found = repository_for(AnonymousUser(), identity_of(identity))
    except (Invalid, NotFound):
        return JsonResponse(_badge("unknown repository", "lightgrey") | {"isError": True})
    best = current_results(found).filter(rank_value__isnull=False).defer("record").first()
    metric = next(iter(best.benchmark.metrics.all()), None) if best else None
    figures = best.figures.all() if best else ()
    value = next((figure.value for figure in figures if metric and figure.name == metric.name), None)
    if best is None or metric is None or value is None:
        return JsonResponse(_badge("no results yet", "lightgrey"))
    text = f"{value:.2%}" if metric.is_fraction else f"{value:.4g}"
    color = "brightgreen" if best.tier == "verified" else "blue"
    return JsonResponse(_badge(f"{best.benchmark.dataset} {text} ({best.tier})", color))


def repository_json(found: Repository) -> Json:
    """A repository as one flat row, which the client prints as a table."""
    return {
        "username": found.owner.username,
        "repository": str(found),
        "host": found.host,
        "url": found.address,
        "default_branch": found.default_branch,
        "public": found.is_public,
        "build_enabled": found.build_enabled,
    }


def build_json(found: Build) -> Json:
    """A build as one flat row; the client prints it as it comes, so what strangers wrote is made harmless here."""
    return {
        "run_number": found.number,
        "status": found.status,
        "commit": found.commit,
        "branch": printable(found.branch, 255),
        "origin": found.origin,
        "reason": printable(found.reason, 1000),
        "created": found.created_at.isoformat(timespec="seconds"),
    }


def benchmark_json(found: Benchmark) -> Json:
    """A benchmark as one flat row."""
    return {
        "slug": found.slug,
        "task": found.task,
        "dataset": found.dataset,
        "size": found.size,
        "metrics": ", ".join(metric.name for metric in found.metrics.all()),
    }


def dataset_json(found: Dataset) -> Json:
    """A data set as one flat row."""
    created = found.created_at.isoformat(timespec="seconds")
    return {"dataset": found.path, "size": found.size, "sha256": found.sha256, "created": created}


def _repository(request: HttpRequest, owner: str, name: str) -> Repository:
    return repository_for(cast("SiteRequest", request).user, identity_of(f"{owner}/{name}"))


def _error_in(record: Json) -> str:
    measured = record if record.get("results") else record | {"results": {"not measured yet": 0.0}}
    try:
        validate_record(measured, predecessor=True)
    except InvalidRecord as error:
        return str(error)
    return ""


def _badge(message: str, color: str) -> Json:
    return {"schemaVersion": 1, "label": "sotabench", "message": message, "color": color}
