"""Who controls a repository, and what follows: until somebody has shown it, nobody owns the name here.

By a file: a line that only this site can make, for one repository and one user, stands in the default branch. By the
host: its API says that the user's own token administers the repository. Whoever shows it last owns the repository here,
unless the present owner's line still stands in the file. What others submitted before stays, and says by whom.

It does not tell who *wrote* the code, and a host that lies about its own repositories is believed about them.
"""

import hashlib
import hmac
import re
from pathlib import PurePosixPath
from urllib.parse import urlsplit

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from sotabench.server.accounts.models import User
from sotabench.server.errors import Conflict, Forbidden, Invalid
from sotabench.server.repositories import hosts, remote
from sotabench.server.repositories.identity import Identity, Location, location_of
from sotabench.server.repositories.models import LOCAL_HOST, Repository
from sotabench.server.repositories.services import (
    approve,
    check_branch,
    check_fields,
    connect_repository,
    let_go,
    repository_named,
)
from sotabench.server.repositories.turns import turn

PROOF_FILE = ".sotabench-owner"
_MOST_LINES = 50
_UNFIT = re.compile(r"[^A-Za-z0-9_.-]")


def proof_line(user: User, identity: Identity) -> str:
    """The line that the user has to put into the file; it fits this user and this repository and nothing else."""
    parts = ("owner", str(user.pk), identity.host, identity.owner_name, identity.name)
    said = "\0".join(parts).lower().encode()
    return "sotabench-owner-" + hmac.new(settings.SECRET_KEY.encode(), said, hashlib.sha256).hexdigest()[:40]


def prove_by_file(user: User, location: Location) -> Repository:
    """The repository, now the user's own and proven, because its default branch holds the user's line.

    Raises Invalid when the file or the line is not there, Conflict when the present owner's line stands there too or
    too many wait for git hosts, and Unanswered when git cannot reach the repository.
    """
    identity = location.identity
    found = repository_named(identity)
    target = _candidate(user, location, found)
    with turn(user):
        head = remote.default_head(target)
        text = remote.read_file(target, head.branch, PROOF_FILE)
    lines = {line.strip() for line in text.splitlines()[:_MOST_LINES]}
    if proof_line(user, identity) not in lines:
        raise Invalid(
            f"expected your line in {PROOF_FILE} of the branch {head.branch}, found it without; push it first"
        )
    is_anothers = found is not None and found.proven_by and found.owner_id != user.pk
    if found is not None and is_anothers and proof_line(found.owner, identity) in lines:
        raise Conflict(f"expected {PROOF_FILE} without the line of the present owner; remove that line to take over")
    return _take(user, location, Repository.Proof.FILE, branch=head.branch)


def prove_by_host(user: User, location: Location, access: hosts.Access) -> Repository:
    """The repository, now the user's own and proven, because the host says that this token administers it.

    The token is sent to that host alone and not kept. Raises Invalid when the host does not say so, Conflict when
    too many wait for git hosts, and Unanswered.
    """
    with turn(user):
        facts = hosts.facts_of(location.identity, access)
    if not facts.administers:
        raise Invalid("expected a token that administers or maintains the repository, found one that does not")
    return _take(user, location, Repository.Proof.HOST, branch=check_branch(facts.default_branch or "main"))


def add_by_operator(user: User, address: str, *, name: str | None = None, branch: str = "main") -> Repository:
    """The repository at a https, ssh or file address, proven and approved by the word of whoever runs the site."""
    location = _local(address, name) if address.startswith("file:") else location_of(address)
    made = _take(user, location, Repository.Proof.OPERATOR, branch=check_branch(branch))
    approve(made)
    return made


@transaction.atomic
def _take(user: User, location: Location, proof: str, *, branch: str) -> Repository:
    """Make the repository the user's; who takes it over from somebody else begins with new secrets and settings."""
    identity = location.identity
    found = repository_named(identity) or _renamed(user, identity)
    if found is None:
        found = connect_repository(user, identity)
    found = Repository.objects.select_for_update().get(pk=found.pk)
    if found.is_local and proof != Repository.Proof.OPERATOR:
        raise Forbidden("expected a repository on a git host, found one that whoever runs this site added")
    if found.owner_id != user.pk:
        let_go(found)
        found.owner, found.clone_url = user, ""
    found.host, found.owner_name, found.name = identity.host, identity.owner_name, identity.name
    found.clone_url = location.clone_url or found.clone_url
    found.default_branch, found.moved_to = branch, ""
    found.proven_by, found.proven_at = proof, timezone.now()
    check_fields(found)
    found.save()
    return found


def _renamed(user: User, identity: Identity) -> Repository | None:
    """The user's own proven repository that its host says now has this name."""
    moved = f"{identity.owner_name}/{identity.name}"
    own = Repository.objects.filter(owner=user, host__iexact=identity.host, moved_to__iexact=moved)
    return own.exclude(proven_by="").first()


def _candidate(user: User, location: Location, found: Repository | None) -> Repository:
    """What git is asked about before anything is stored; its deploy key is the user's own only where he holds it."""
    if found is not None and found.owner_id == user.pk:
        found.clone_url = location.clone_url or found.clone_url
        return found
    identity = location.identity
    made = Repository(
        host=identity.host,
        owner_name=identity.owner_name,
        name=identity.name,
        owner=user,
        clone_url=location.clone_url,
    )
    check_fields(made)
    return made


def _local(address: str, name: str | None) -> Location:
    url = urlsplit(address)
    path = PurePosixPath(url.path)
    if url.netloc or not path.is_absolute() or url.query or url.fragment or ".." in path.parts:
        raise Invalid(f"expected file:///path/of/a/repository, found {address[:200]!r}")
    ends = [_UNFIT.sub("-", part).strip(".-") or "folder" for part in ("local", *path.parts[1:])[-2:]]
    owner, short = name.rsplit("/", 1) if name and "/" in name else ends
    return Location(Identity(LOCAL_HOST, owner, short.removesuffix(".git")), f"file://{path}")
