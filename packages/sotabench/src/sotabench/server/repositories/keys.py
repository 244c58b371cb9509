"""A repository's secrets: they are made here, shown to its owner when he asks, and kept sealed."""

import secrets
from dataclasses import dataclass

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from django.db import transaction

from sotabench.server.accounts.models import User
from sotabench.server.errors import Conflict
from sotabench.server.repositories import hosts
from sotabench.server.repositories.identity import Identity
from sotabench.server.repositories.models import Keys, Repository
from sotabench.server.repositories.services import check_may_change
from sotabench.server.sealing import seal, unseal


@dataclass(frozen=True)
class HostAccess:
    """What is needed to tell a repository's host something."""

    identity: Identity
    access: hosts.Access


def keys_of(repository: Repository) -> Keys:
    """The repository's secrets, which may all be empty."""
    return Keys.objects.get_or_create(repository=repository)[0]


def new_webhook_secret(user: User, repository: Repository) -> str:
    """A new secret for the repository's webhook, shown this once; the one before ends. Raises Forbidden, Conflict.

    Only who has shown that he controls the repository gets one: pushes are believed on its word.
    """
    return _new(user, repository, "webhook_secret")


def new_notice_secret(user: User, repository: Repository) -> str:
    """A new secret that signs notices to the owner's address, shown this once. Raises Forbidden, Conflict."""
    return _new(user, repository, "notice_secret")


def webhook_secret(repository: Repository) -> str:
    """The secret; empty when there is none."""
    keys = Keys.objects.filter(repository=repository).first()
    return unseal(keys.webhook_secret) if keys else ""


def deploy_key(repository: Repository) -> str:
    """The private half of the key with which the site reads the repository; empty when there is none."""
    keys = Keys.objects.filter(repository=repository).first()
    return unseal(keys.deploy_key) if keys else ""


def new_deploy_key(user: User, repository: Repository) -> str:
    """The public half of a new key (ed25519) with which the site reads the repository. Raises Forbidden."""
    check_may_change(user, repository)
    pair = Ed25519PrivateKey.generate()
    private = pair.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption()).decode("ascii")
    public = pair.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode("ascii")
    _write(repository, deploy_key=seal(private), deploy_key_public=f"{public} sotabench")
    return f"{public} sotabench"


def keep_host_token(user: User, repository: Repository, access: hosts.Access) -> None:
    """Keep a token, sealed and bound to the repository's host, to tell that host how builds stand.

    Raises Forbidden, and Conflict for a repository that nobody has proven.
    """
    check_may_change(user, repository)
    _check_proven(repository)
    _write(
        repository,
        host_token=seal(access.token),
        host_token_for=repository.host,
        host_kind=access.kind,
        host_trouble="",
        host_failures=0,
        host_next_at=None,
    )


def forget_host_token(user: User, repository: Repository) -> None:
    """Keep it no longer. Raises Forbidden."""
    check_may_change(user, repository)
    _write(repository, host_token="", host_token_for="", host_trouble="", host_failures=0, host_next_at=None)


def host_access(repository: Repository) -> HostAccess | None:
    """What is needed to tell the host; None without a token, or when it was given for another host."""
    keys = Keys.objects.filter(repository=repository).exclude(host_token="").first()
    if keys is None or keys.host_token_for != repository.host or repository.is_local:
        return None
    identity = Identity(repository.host, repository.owner_name, repository.name)
    scheme = "http" if repository.remote_url.startswith("http:") else "https"
    return HostAccess(identity, hosts.Access(keys.host_kind, unseal(keys.host_token), scheme))


def _new(user: User, repository: Repository, field: str) -> str:
    check_may_change(user, repository)
    _check_proven(repository)
    text = secrets.token_urlsafe(32)
    _write(repository, **{field: seal(text)})
    return text


def _check_proven(repository: Repository) -> None:
    if not repository.proven_by:
        raise Conflict(f"expected a repository whose control was shown, found {repository} without; prove it first")


@transaction.atomic
def _write(repository: Repository, **values: object) -> None:
    keys, _ = Keys.objects.select_for_update().get_or_create(repository=repository)
    for name, value in values.items():
        setattr(keys, name, value)
    keys.save(update_fields=list(values))
    repository.keys = keys
