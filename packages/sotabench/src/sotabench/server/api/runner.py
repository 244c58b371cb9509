"""`/api/runner/`: what a runner asks of the site, in the name of its token; not for people, and without promises.

    hello -> claim -> (renew | log | inputs | calls)* -> end

A call about an attempt carries its fencing token in `X-Attempt`; once the attempt is over it is refused with 409.
"""

import tempfile
from pathlib import Path
from typing import Annotated, Any, cast

from django.conf import settings
from django.http import FileResponse, HttpRequest
from ninja import File, Form, Schema
from ninja.errors import AuthenticationError
from ninja.files import UploadedFile
from ninja.security.base import AuthBase
from pydantic import Field, StringConstraints

from sotabench.errors import Broken
from sotabench.server.accounts.queries import token_in
from sotabench.server.api.gate import Key, StorableJson, Text, api_of, kept_upload
from sotabench.server.benchmarks.calls import accept_call, accept_inputs
from sotabench.server.benchmarks.models import DataCopy
from sotabench.server.builds import leases
from sotabench.server.builds.leases import Claim
from sotabench.server.builds.models import Attempt, Runner
from sotabench.server.builds.services import Status
from sotabench.server.datasets.files import kept_file
from sotabench.server.datasets.queries import datasets_of
from sotabench.server.errors import Invalid, NotFound
from sotabench.server.repositories.keys import deploy_key

MOST_BYTES_OF_A_RECORD = 16 << 20
MOST_BYTES_OF_PREDICTIONS = 256 << 20
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

    facts: StorableJson = Field(default={}, max_length=100)
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


class InputsIn(Schema):
    """All that an attempt's results depend on."""

    inputs: StorableJson = Field(max_length=100)
    had_network: bool = False


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
    """A build to run, all that is needed for it, and the token of the attempt; `{}` when none waits.

    A build for which something is missing here ends as broken, which it says, and not as one that its runner lost.
    """
    claimed = leases.claim(_runner(request), slot=body.slot)
    if claimed is None:
        return {}
    try:
        return job_json(claimed)
    except Broken as error:
        leases.end_attempt(claimed.token, Status.BROKEN, reason=str(error))
        return {}


@api.post("renew")
def renew(request: HttpRequest, body: StageIn) -> Json:
    """A sign of life: for how many seconds the build stays this attempt's."""
    leases.renew(_token(request), stage=body.stage)
    return {"lease_seconds": settings.LEASE_SECONDS}


@api.post("log")
def log(request: HttpRequest, body: LogIn) -> Json:
    """Lines for the log; the same number again changes nothing."""
    leases.append_log(_token(request), body.number, body.text)
    return {"lease_seconds": settings.LEASE_SECONDS}


@api.post("inputs")
def inputs(request: HttpRequest, body: InputsIn) -> Json:
    """Whether it was all measured before, and which calls of it were."""
    known = accept_inputs(_attempt(request), body.inputs, had_network=body.had_network)
    return {"carried_from": known.carried_from, "done": known.done}


@api.post("calls")
def call(
    request: HttpRequest, number: Form[Key], record: File[UploadedFile], predictions: File[UploadedFile | None] = None
) -> Json:
    """The call of `benchmark()` with this number: its record, and the predictions that the site scores; its result.

    The same call again is the same result.
    """
    _check_size(record, MOST_BYTES_OF_A_RECORD)
    with tempfile.TemporaryDirectory() as folder:
        path = None
        if predictions is not None:
            _check_size(predictions, MOST_BYTES_OF_PREDICTIONS)
            path = kept_upload(predictions, Path(folder) / "predictions.npz")
        result = accept_call(_token(request), record.read(), path, number=number)
    return {"result": result.pk, "model": result.model_name, "benchmark": result.benchmark.slug}


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
        "lease_seconds": settings.LEASE_SECONDS,
        "build": {"number": build.number, "commit": build.commit, "branch": build.branch, "is_full": build.is_full},
        "repository": {
            "id": repository.pk,
            "name": f"{repository.host}/{repository}",
            "url": repository.remote_url,
            "is_local": repository.is_local,
            "ssh_key": deploy_key(repository),
            "has_network": repository.has_network,
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
    """The attempt's. Raises LeaseLost for one of another runner."""
    token = request.headers.get("X-Attempt", "")
    leases.check_is_of(_runner(request), token)
    return token


def _attempt(request: HttpRequest) -> Attempt:
    return leases.attempt_of(_token(request))


def _check_size(upload: UploadedFile, limit: int) -> None:
    if (upload.size or 0) > limit:
        raise Invalid(f"expected a file of at most {limit} bytes, found {upload.size}")
