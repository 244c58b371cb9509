"""`/api/runner/`: what a runner asks of the site, in the name of its token; not for people, and without promises.

    hello -> claim -> (renew | log | inputs | calls)* -> end

A call about an attempt carries its fencing token in `X-Attempt`; once the attempt is over it is refused with 409.
"""

from typing import Annotated, Any, cast

from django.http import FileResponse, HttpRequest
from ninja import Schema
from ninja.errors import AuthenticationError
from ninja.security.base import AuthBase
from pydantic import Field, StringConstraints

from sotabench.server.accounts.queries import token_in
from sotabench.server.api.gate import Key, Text, api_of
from sotabench.server.benchmarks.models import DataCopy
from sotabench.server.builds import leases
from sotabench.server.builds.leases import Claim
from sotabench.server.builds.models import Attempt, Runner
from sotabench.server.builds.services import Status
from sotabench.server.datasets.files import kept_file
from sotabench.server.datasets.queries import datasets_of
from sotabench.server.errors import Invalid, NotFound

_ENDS = {"finished": Status.FINISHED, "failed": Status.FAILED, "broken": Status.BROKEN}

Json = dict[str, Any]
Lines = Annotated[str, StringConstraints(max_length=1 << 20)]


class RunnerToken(AuthBase):
    """The door: a runner's token."""

    openapi_type: str = "http"
    openapi_scheme: str = "bearer"

    def __call__(self, request: HttpRequest) -> Runner:
        """The runner whose token this is. Raises AuthenticationError."""
        if runner := leases.runner_of(token_in(request.headers.get("Authorization", ""))):
            return runner
        raise AuthenticationError(message="expected a runner's token; `sotabench runners add NAME` makes one")


api = api_of("sotabench, runners", "runner", "", auth=RunnerToken(), throttle=[], openapi_url=None, docs_url=None)


class Hello(Schema):
    """What a runner is, and what is wrong with it."""

    facts: Json = Field(default={}, max_length=100)
    is_trusting: bool = False
    trouble: Text = ""


class SlotIn(Schema):
    """Which of its slots the runner has free."""

    slot: Key


class StageIn(Schema):
    """What an attempt is at."""

    stage: Text = ""


class LogIn(Schema):
    """Lines of an attempt's log."""

    number: Key
    text: Lines


class EndIn(Schema):
    """How an attempt ended."""

    status: Text
    reason: Lines = ""


@api.post("hello")
def hello(request: HttpRequest, body: Hello) -> Json:
    """Keep what the runner says of itself; what it is called here, and whether it gets builds."""
    runner = _runner(request)
    leases.report_runner(runner, facts=body.facts, is_trusting=body.is_trusting, trouble=body.trouble)
    return {"name": runner.name, "is_drained": runner.is_drained}


@api.post("claim")
def claim(request: HttpRequest, body: SlotIn) -> Json:
    """A build to run, all that is needed for it, and the token of the attempt; `{}` when none waits."""
    claimed = leases.claim(_runner(request), slot=body.slot)
    return job_json(claimed) if claimed else {}


@api.post("renew")
def renew(request: HttpRequest, body: StageIn) -> Json:
    """A sign of life: for how many seconds the build stays this attempt's."""
    leases.renew(_token(request), stage=body.stage)
    return {"lease_seconds": leases.LEASE.seconds}


@api.post("log")
def log(request: HttpRequest, body: LogIn) -> Json:
    """Lines for the log; the same number again changes nothing."""
    leases.append_log(_token(request), body.number, body.text)
    return {"lease_seconds": leases.LEASE.seconds}


@api.get("files/{sha256}")
def file(request: HttpRequest, sha256: Text) -> FileResponse:
    """The bytes of a data set that the attempt's repository brought along."""
    repository = _attempt(request).build.repository
    if not datasets_of(repository).filter(sha256=sha256).exists():
        raise NotFound(f"expected a data set of {repository}, found none with this digest")
    return FileResponse(kept_file(repository.pk, sha256).open("rb"))


@api.post("end")
def end(request: HttpRequest, body: EndIn) -> Json:
    """The attempt is over; what became of its build."""
    if body.status not in _ENDS:
        raise Invalid(f"expected a status among {', '.join(_ENDS)}, found another")
    build = leases.end_attempt(_token(request), _ENDS[body.status], reason=body.reason)
    return {"status": build.status}


def job_json(claimed: Claim) -> Json:
    """All that a runner needs for a build."""
    build, repository = claimed.attempt.build, claimed.attempt.build.repository
    return {
        "token": claimed.token,
        "lease_seconds": leases.LEASE.seconds,
        "build": {"number": build.number, "commit": build.commit, "branch": build.branch, "is_full": build.is_full},
        "repository": {
            "id": repository.pk,
            "name": f"{repository.host}/{repository}",
            "url": f"{repository.address}.git",
        },
        "data": [
            {
                "dataset_name": copy.dataset_name,
                "folder": copy.folder,
                "fingerprint": copy.fingerprint,
                "samples": copy.samples,
            }
            for copy in DataCopy.objects.all()
        ],
        "files": list(datasets_of(repository).values("path", "sha256", "size")),
    }


def _runner(request: HttpRequest) -> Runner:
    return cast("Runner", request.auth)  # type: ignore[attr-defined]


def _token(request: HttpRequest) -> str:
    return request.headers.get("X-Attempt", "")


def _attempt(request: HttpRequest) -> Attempt:
    return leases.attempt_of(_token(request))
