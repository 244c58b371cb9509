"""Which repository is meant, and how git reaches it: what people write, made one."""

import re
from dataclasses import dataclass
from urllib.parse import urlsplit

from django.conf import settings

from sotabench.server.errors import Invalid

_PORTS = {"https": 443, "ssh": 22, "http": 80}
_SCP = re.compile(r"(?P<user>[A-Za-z0-9_][A-Za-z0-9_.-]{0,31})@(?P<host>[A-Za-z0-9.-]+):(?P<path>[^:]+)")
_SSH_USER = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,31}")


@dataclass(frozen=True)
class Identity:
    """A repository's host (with its port, unless that is the usual one), owner and name."""

    host: str
    owner_name: str
    name: str


@dataclass(frozen=True)
class Location:
    """A repository and the address that git uses for it; without one, it is https."""

    identity: Identity
    clone_url: str = ""


def identity_of(text: str) -> Identity:
    """The identity in `owner/name`, `host/owner/name`, `https://host/owner/name[.git]` or an ssh address.

    Without a host it is the site's default one. Raises Invalid when it is none of these.
    """
    return location_of(text).identity


def location_of(text: str) -> Location:
    """The same, with the address where one was given.

    `https://...` is kept as it was written, so that a host which knows a repository with or without `.git` is asked
    as its user knows it. Raises Invalid for other schemes, and for an address that carries a password.
    """
    plain = text.strip()
    if not plain.isprintable():
        raise _unclear(text)
    if found := _SCP.fullmatch(plain):
        plain = f"ssh://{found['user']}@{found['host']}/{found['path'].lstrip('/')}"
    scheme, separator, _ = plain.partition("://")
    if separator and scheme.lower() in _PORTS:
        return _from_url(plain, text)
    parts = _parts(plain, text)
    if len(parts) == 2:
        return Location(Identity(settings.DEFAULT_GIT_HOST, parts[0], parts[1]))
    return Location(Identity(_host(parts[0], text), "/".join(parts[1:-1]), parts[-1]))


def _host(said: str, text: str) -> str:
    """The host as an https address has it, so that `github.com:443` is no second name for `github.com`."""
    try:
        url = urlsplit(f"https://{said}")
        host, port = url.hostname or "", url.port
    except ValueError as error:
        raise _unclear(text) from error
    if url.netloc != said or not host or port == 0 or "@" in said:
        raise _unclear(text)
    return _shown(host, port, url.scheme)


def _shown(host: str, port: int | None, scheme: str) -> str:
    return host if port in {None, _PORTS[scheme]} else f"{host}:{port}"


def _from_url(plain: str, text: str) -> Location:
    try:
        url = urlsplit(plain)
        host, port = url.hostname or "", url.port
    except ValueError as error:
        raise _unclear(text) from error
    if not host or port == 0 or url.query or url.fragment or url.password is not None:
        raise _unclear(text)
    if url.scheme == "http" and f"{host}:{port or 80}" not in settings.INTERNAL_HOSTS:
        raise Invalid("expected an https address; plain http is for hosts that whoever runs this site listed")
    if url.scheme != "ssh" and url.username is not None:
        raise Invalid("expected an address without a name or password in it; leave them out")
    user = url.username or "git"
    if url.scheme == "ssh" and not _SSH_USER.fullmatch(user):
        raise _unclear(text)
    shown = _shown(host, port, url.scheme)
    path = url.path.strip("/")
    parts = _parts(path, text)
    owner = f"{user}@" if url.scheme == "ssh" else ""
    return Location(Identity(shown, "/".join(parts[:-1]), parts[-1]), f"{url.scheme}://{owner}{shown}/{path}")


def _parts(path: str, text: str) -> list[str]:
    parts = re.sub(r"(?i)(?:\.git)+\Z", "", path.removesuffix("/")).split("/")
    if len(parts) < 2 or not all(parts):
        raise _unclear(text)
    return parts


def _unclear(text: str) -> Invalid:
    return Invalid(
        f"expected a repository as owner/name, host/owner/name or its https or ssh address, found {text[:200]!r}"
    )
