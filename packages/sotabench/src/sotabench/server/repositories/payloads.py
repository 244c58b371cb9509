"""What a git host's webhook says: read as a stranger's JSON, by whoever sent it (GitHub, GitLab, Gitea, Forgejo)."""

import hashlib
import hmac
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs

from sotabench.server.errors import Invalid

_NOT_STORABLE = re.compile("[\0\ud800-\udfff]")
_SIGNATURES = ("X-Hub-Signature-256", "X-Gitea-Signature", "X-Forgejo-Signature", "X-Gogs-Signature")
_EVENTS = ("X-Forgejo-Event", "X-Gitea-Event", "X-GitHub-Event", "X-Gitlab-Event")
_PUSHES = ("push", "Push Hook")
_TAGS = ("Tag Push Hook",)
_RENAMES = ("repository",)


@dataclass(frozen=True)
class Push:
    """A branch that was moved to a commit. `pushed_at` is in seconds since 1970 where the host says it, else 0."""

    repository: str
    branch: str
    commit: str
    default_branch: str
    pushed_at: int


@dataclass(frozen=True)
class Other:
    """Anything else, with the reason why nothing comes of it."""

    repository: str
    reason: str


Said = Push | Other


def is_signed(headers: Mapping[str, str], body: bytes, secret: str) -> bool:
    """Whether the message was made by somebody who knows the secret; nothing was if there is no secret."""
    if not secret:
        return False
    wanted = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
    for name in _SIGNATURES:
        if name in headers:
            return hmac.compare_digest(headers[name].removeprefix("sha256=").encode(), wanted.encode())
    return hmac.compare_digest(headers.get("X-Gitlab-Token", "").encode(), secret.encode())


def delivery_key(headers: Mapping[str, str], body: bytes) -> str:
    """What tells a message from all others: what was signed. GitLab signs nothing, so its own number counts too."""
    number = headers.get("X-Gitlab-Event-UUID", "") if "X-Gitlab-Token" in headers else ""
    return hashlib.sha256(number.encode() + b"\0" + body).hexdigest()


def event_of(headers: Mapping[str, str]) -> str:
    """The name that the host gives to what happened."""
    return next((headers[name] for name in _EVENTS if name in headers), "")[:100]


def said_in(headers: Mapping[str, str], body: bytes) -> Said:
    """What the message says. Raises Invalid when it is not what such a host sends."""
    event, payload = event_of(headers), _json(headers.get("Content-Type", ""), body)
    name = _text(_of(payload, "repository"), "full_name") or _text(_of(payload, "project"), "path_with_namespace")
    if event == "ping":
        return Other(name, "the webhook works")
    if event in _RENAMES:
        return Other(name, f"the repository was {_text(payload, 'action')[:50] or 'changed'}")
    if event in _TAGS:
        return Other(name, "it is a tag")
    if event not in _PUSHES:
        return Other(name, "only pushes are built")
    return _push(payload, name)


def _push(payload: Mapping[str, Any], name: str) -> Said:
    ref, commit = _text(payload, "ref"), _text(payload, "after")
    if not ref or not commit or not name:
        raise Invalid("expected a push with its repository, ref and commit, found less")
    if not ref.startswith("refs/heads/"):
        return Other(name, "it is a tag" if ref.startswith("refs/tags/") else "it is no branch")
    if payload.get("deleted") is True or not commit.strip("0"):
        return Other(name, "the branch was deleted")
    where = _of(payload, "repository") if "full_name" in _of(payload, "repository") else _of(payload, "project")
    pushed = where.get("pushed_at")
    default = _text(where, "default_branch")
    at = pushed if type(pushed) is int else 0
    return Push(name, ref.removeprefix("refs/heads/"), commit, default, at)


def _json(content_type: str, body: bytes) -> dict[str, Any]:
    try:
        if content_type.startswith("application/x-www-form-urlencoded"):
            body = parse_qs(body.decode("ascii"), max_num_fields=10, strict_parsing=True)["payload"][0].encode()
        payload = json.loads(body)
    except (ValueError, KeyError, RecursionError) as error:
        raise Invalid("expected the JSON of a git host's webhook, found something else") from error
    if not isinstance(payload, dict):
        raise Invalid("expected a JSON object, found something else")
    return payload


def _of(payload: Mapping[str, Any], name: str) -> dict[str, Any]:
    found = payload.get(name)
    return found if isinstance(found, dict) else {}


def _text(payload: Mapping[str, Any], name: str) -> str:
    """The text, if it is one that a database can hold: JSON can also write NUL and half a character."""
    found = payload.get(name)
    return found[:400] if isinstance(found, str) and not _NOT_STORABLE.search(found) else ""
