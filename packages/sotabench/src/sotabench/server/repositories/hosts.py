"""The APIs of GitHub, GitLab and Gitea or Forgejo: who administers a repository, and how a build of it stands.

A token goes to the API of the one host that it was given for, and a redirect is never followed.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from sotabench.server.errors import Invalid
from sotabench.server.outgoing import Answer, Question, Unanswered, ask
from sotabench.server.repositories.identity import Identity
from sotabench.server.repositories.models import Keys

Kind = Keys.Kind

GITLAB_MAINTAINER = 40
CONTEXT = "sotabench"
_KNOWN = {"github.com": Kind.GITHUB, "gitlab.com": Kind.GITLAB, "codeberg.org": Kind.GITEA, "gitea.com": Kind.GITEA}
_GITLAB_STATES = {"pending": "pending", "success": "success", "failure": "failed", "error": "failed"}


@dataclass(frozen=True)
class Access:
    """Whose API it is, and a token for it."""

    kind: str
    token: str
    scheme: str = "https"


@dataclass(frozen=True)
class Facts:
    """What a host says of a repository to a token's owner."""

    administers: bool
    default_branch: str


@dataclass(frozen=True)
class State:
    """How a build stands: `pending`, `success`, `failure` or `error`."""

    commit: str
    name: str
    url: str
    words: str


def kind_of(host: str, said: str = "") -> str:
    """Whose API the host speaks. Raises Invalid where that is neither known nor said."""
    if (kind := _KNOWN.get(host, said)) in Kind.values:
        return str(kind)
    raise Invalid(f"expected to be told whose software {host} runs: {', '.join(Kind.values)}")


def facts_of(identity: Identity, access: Access) -> Facts:
    """What the host says. Raises Invalid for a token that it refuses or another repository, and Unanswered."""
    answer = _call(identity, access, "")
    if not answer.is_success:
        raise Invalid(
            f"expected {identity.host} to show this token {identity.owner_name}/{identity.name}, "
            f"found status {answer.status}"
        )
    said = _json(answer)
    name = said.get("path_with_namespace") if access.kind == Kind.GITLAB else said.get("full_name")
    wanted = f"{identity.owner_name}/{identity.name}"
    if str(name).lower() != wanted.lower():
        raise Invalid(f"expected the host to speak of {wanted}, found {str(name)[:200]!r}; is it renamed?")
    return Facts(_administers(said, access.kind), str(said.get("default_branch") or ""))


def tell(identity: Identity, access: Access, state: State) -> None:
    """Tell the host how a build stands. Raises Unanswered."""
    name = _GITLAB_STATES[state.name] if access.kind == Kind.GITLAB else state.name
    said = {"state": name, "target_url": state.url, "description": state.words[:140]}
    said["name" if access.kind == Kind.GITLAB else "context"] = CONTEXT
    answer = _call(identity, access, f"/statuses/{state.commit}", {key: text for key, text in said.items() if text})
    if not answer.is_success:
        raise Unanswered(f"expected {identity.host} to take a commit's status, found status {answer.status}")


def _administers(said: Mapping[str, Any], kind: str) -> bool:
    permissions = said.get("permissions")
    permissions = permissions if isinstance(permissions, dict) else {}
    if kind != Kind.GITLAB:
        return permissions.get("admin") is True or permissions.get("maintain") is True
    found = [permissions.get(name) for name in ("project_access", "group_access")]
    levels = [access.get("access_level") for access in found if isinstance(access, dict)]
    return any(type(level) is int and level >= GITLAB_MAINTAINER for level in levels)


def _call(identity: Identity, access: Access, path: str, body: Mapping[str, str] | None = None) -> Answer:
    headers = {"Accept": "application/json", "Content-Type": "application/json"}
    if not access.token.isascii() or not access.token.isprintable() or not access.token:
        raise Invalid("expected a token of letters, digits and signs")
    if access.kind == Kind.GITLAB:
        headers["PRIVATE-TOKEN"] = access.token
    else:
        headers["Authorization"] = f"{'token' if access.kind == Kind.GITEA else 'Bearer'} {access.token}"
    content = b"" if body is None else json.dumps(body).encode()
    method = "GET" if body is None else "POST"
    return ask(Question(_api(identity, access) + path, method, headers, content))


def _api(identity: Identity, access: Access) -> str:
    whole = f"{identity.owner_name}/{identity.name}"
    if access.kind == Kind.GITLAB:
        return f"{access.scheme}://{identity.host}/api/v4/projects/{quote(whole, safe='')}"
    if access.kind == Kind.GITEA:
        return f"{access.scheme}://{identity.host}/api/v1/repos/{whole}"
    if identity.host == "github.com":
        return f"https://api.github.com/repos/{whole}"
    return f"{access.scheme}://{identity.host}/api/v3/repos/{whole}"


def _json(answer: Answer) -> dict[str, Any]:
    try:
        said = json.loads(answer.body)
    except (ValueError, RecursionError) as error:
        raise Unanswered("expected JSON of the git host, found something else") from error
    return said if isinstance(said, dict) else {}
