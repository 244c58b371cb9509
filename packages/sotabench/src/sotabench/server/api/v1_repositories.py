"""`/api/v1/`: connecting repositories, their settings, secrets, data sets, and builds that somebody asks for."""

from typing import TYPE_CHECKING, Annotated, Any, cast

from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import reverse
from ninja import Body, Router, Schema
from ninja.pagination import paginate
from pydantic import Field

from sotabench.server.accounts.models import Scope
from sotabench.server.api.gate import Key, Text, TokenFor
from sotabench.server.api.paging import Pages
from sotabench.server.api.v1_shapes import BuildOut, DatasetOut, RepositoryOut
from sotabench.server.builds.models import Build
from sotabench.server.builds.pushes import build_branch
from sotabench.server.datasets.models import Dataset
from sotabench.server.datasets.queries import dataset_of, datasets_of
from sotabench.server.datasets.services import delete_dataset
from sotabench.server.errors import NotFound
from sotabench.server.repositories import hosts
from sotabench.server.repositories.identity import Identity, location_of
from sotabench.server.repositories.keys import keep_host_token, new_deploy_key, new_webhook_secret
from sotabench.server.repositories.models import Repository
from sotabench.server.repositories.proofs import PROOF_FILE, proof_line, prove_by_file, prove_by_host
from sotabench.server.repositories.queries import repositories_for
from sotabench.server.repositories.services import (
    change_repository,
    check_may_change,
    connect_repository,
    disconnect,
    why_not_built,
)

if TYPE_CHECKING:
    from sotabench.server.accounts.models import User

router = Router()
_MANAGE = TokenFor(Scope.MANAGE)
_SUBMIT = TokenFor(Scope.SUBMIT)


class AddressIn(Schema):
    """Which repository, and whether everybody may see its results."""

    address: Text = Field(description="[host/]owner/name, or its https or ssh address")
    public: bool = True


class ProofIn(Schema):
    """Which repository; with a `token` of its host the host is asked, else the file in its default branch is read."""

    address: Text
    token: Text = Field(default="", description="of the git host; sent to that host alone")
    kind: Text = Field(default="", description="github, gitlab or gitea; known for the large hosts")
    keep: bool = Field(default=False, description="keep the token, sealed, to show builds at the host's commits")


class ChangesIn(Schema):
    """What is to be changed; what is left out stays."""

    default_branch: Text | None = None
    is_public: bool | None = None
    build_enabled: bool | None = None
    is_polled: bool | None = None
    has_network: bool | None = None
    tells_breaks: bool | None = None
    tells_falls: bool | None = None
    tells_by_mail: bool | None = None
    tells_url: Text | None = None


class BranchIn(Schema):
    """Which branch; the default one when empty."""

    branch: Text = ""
    full: bool = Field(default=False, description="carry nothing over from earlier builds")


class DatasetIn(Schema):
    """Which data set of a repository."""

    path: Text


class ConnectionOut(Schema):
    """How the connection stands: the line that proves control, and why nothing is built when it is not."""

    repository: RepositoryOut
    proven_by: str
    why_not_built: str
    proof_file: str
    proof_line: str
    webhook: str


class LineOut(Schema):
    """A line, and the file of the default branch that it belongs into."""

    proof_file: str
    proof_line: str


class SecretOut(Schema):
    """A webhook's address and its secret, shown this once."""

    address: str
    secret: str


class DeployKeyOut(Schema):
    """The public half of the key with which this site reads the repository."""

    public: str


@router.post("repositories", response=ConnectionOut, auth=_MANAGE)
def connect(request: HttpRequest, body: AddressIn) -> dict[str, Any]:
    """Name a repository. It is built once control of it was proven; the answer says how."""
    location = location_of(body.address)
    found = connect_repository(_user(request), location.identity, is_public=body.public, clone_url=location.clone_url)
    return connection_json(request, found)


@router.post("proof-lines", response=LineOut, auth=_MANAGE)
def line(request: HttpRequest, body: AddressIn) -> dict[str, str]:
    """The line that proves control of a repository to this site, whoever named it first; nothing is stored."""
    identity = location_of(body.address).identity
    return {"proof_file": PROOF_FILE, "proof_line": proof_line(_user(request), identity)}


@router.post("proofs", response=ConnectionOut, auth=_MANAGE)
def prove(request: HttpRequest, body: ProofIn) -> dict[str, Any]:
    """Show that you control a repository: it becomes yours, whoever named it first."""
    user, location = _user(request), location_of(body.address)
    if not body.token:
        return connection_json(request, prove_by_file(user, location))
    access = access_for(location.identity, location.clone_url, token=body.token, kind=body.kind)
    found = prove_by_host(user, location, access)
    if body.keep:
        keep_host_token(user, found, access)
    return connection_json(request, found)


@router.get("repositories/{key}/connection", response=ConnectionOut, auth=_MANAGE)
def connection(request: HttpRequest, key: Key) -> dict[str, Any]:
    """How the connection stands, for whoever asks: the line is the asker's own."""
    return connection_json(request, _repository(request, key))


@router.delete("repositories/{key}/connection", response=RepositoryOut, auth=_MANAGE)
def let_go(request: HttpRequest, key: Key) -> Repository:
    """Build it no more and forget its secrets; results and builds stay."""
    found = _repository(request, key)
    disconnect(_user(request), found)
    return found


@router.patch("repositories/{key}", response=RepositoryOut, auth=_MANAGE)
def change(request: HttpRequest, key: Key, body: ChangesIn) -> Repository:
    """The repository, changed."""
    found = _repository(request, key)
    changes = {name: value for name, value in body.dict(exclude_unset=True).items() if value is not None}
    change_repository(_user(request), found, **changes)
    return found


@router.post("repositories/{key}/webhook", response=SecretOut, auth=_MANAGE)
def webhook(request: HttpRequest, key: Key) -> dict[str, str]:
    """A new secret for the webhook; the one before ends."""
    found = _repository(request, key)
    return {"secret": new_webhook_secret(_user(request), found), "address": webhook_address(request, found)}


@router.post("repositories/{key}/deploy-key", response=DeployKeyOut, auth=_MANAGE)
def deploy_key(request: HttpRequest, key: Key) -> dict[str, str]:
    """A new key pair; the one before ends."""
    return {"public": new_deploy_key(_user(request), _repository(request, key))}


@router.post("repositories/{key}/builds", response=BuildOut, auth=_MANAGE)
def start_build(request: HttpRequest, key: Key, body: BranchIn) -> Build:
    """A build of the newest commit of a branch; of another than the default one it is an unlisted preview."""
    return build_branch(_user(request), _repository(request, key), branch=body.branch, is_full=body.full)


@router.get("repositories/{key}/datasets", response=list[DatasetOut])
@paginate(Pages)
def datasets(request: HttpRequest, key: Key, path: Text = "") -> QuerySet[Dataset]:
    """The data sets that the repository brings along; with `path` the one that is there, or 404."""
    found = _repository(request, key)
    return datasets_of(found).filter(pk=dataset_of(found, path).pk) if path else datasets_of(found)


@router.delete("repositories/{key}/datasets", response=DatasetOut, auth=_SUBMIT)
def remove_dataset(request: HttpRequest, key: Key, body: Annotated[DatasetIn, Body()]) -> Dataset:
    """Delete the data set at `path`."""
    found = _repository(request, key)
    check_may_change(_user(request), found)
    dataset = dataset_of(found, body.path)
    delete_dataset(_user(request), dataset)
    return dataset


def access_for(identity: Identity, clone_url: str, *, token: str, kind: str) -> hosts.Access:
    """A token for the host's API, which speaks plain http only where the repository's own address does."""
    scheme = "http" if clone_url.startswith("http:") else "https"
    return hosts.Access(hosts.kind_of(identity.host, kind), token, scheme)


def webhook_address(request: HttpRequest, found: Repository) -> str:
    """Where the git host has to send its messages."""
    return request.build_absolute_uri(reverse("webhook", args=[found.pk]))


def connection_json(request: HttpRequest, found: Repository) -> dict[str, Any]:
    """How the connection stands, for the user who asks."""
    identity = Identity(found.host, found.owner_name, found.name)
    return {
        "repository": found,
        "proven_by": found.proven_by,
        "why_not_built": why_not_built(found),
        "proof_file": PROOF_FILE,
        "proof_line": proof_line(_user(request), identity),
        "webhook": webhook_address(request, found),
    }


def _user(request: HttpRequest) -> "User":
    return cast("User", request.user)


def _repository(request: HttpRequest, key: int) -> Repository:
    if found := repositories_for(request.user).filter(pk=key).first():
        return found
    raise NotFound(f"expected a repository that you may see, found none with number {key}")
