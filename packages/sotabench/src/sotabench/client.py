"""What a program can ask a site over HTTP; answers are the JSON of its API."""

import math
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Self

import httpx

from benchrecord import printable
from sotabench.errors import Misconfigured, SiteRefused, SiteUnreachable, Unusable

TIMEOUT = 600.0
_TOO_MANY = 429
_PATIENCE = 5
_LONGEST_WAIT = 120.0
_PAGE = 200

Json = Any


@dataclass(frozen=True)
class Submission:
    """Records of one commit, and the files that they name."""

    repository: str
    commit: str
    records: bytes
    files: Sequence[Path] = ()
    branch: str = ""
    public: bool = True


class Site:
    """A site, asked in the name of a token's user, or of nobody.

    A redirect is not followed, so that the token goes nowhere else. Raises SiteRefused and SiteUnreachable.
    """

    def __init__(self, url: str, token: str = "") -> None:
        if not url:
            raise Misconfigured("expected the address of a site; set SOTABENCH_URL, or `sb login --url https://...`")
        self.url = url
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        try:
            transport = httpx.HTTPTransport(retries=2)
            self._http = httpx.Client(base_url=f"{url}/api", headers=headers, timeout=TIMEOUT, transport=transport)
        except (httpx.InvalidURL, UnicodeError) as error:
            raise Misconfigured(f"expected the address of a site, found {url!r}: {error}; set SOTABENCH_URL") from error

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._http.close()

    def get(self, path: str, /, **parameters: str | int) -> Json:
        """What the site answers at `path`, such as `v1/benchmarks`."""
        return self._ask("GET", path, params=parameters)

    def post(self, path: str, body: Json = None) -> Json:
        """The answer to a JSON body."""
        return self._ask("POST", path, json=body or {})

    def delete(self, path: str, body: Json) -> Json:
        """The answer to a DELETE with a JSON body."""
        return self._ask("DELETE", path, json=body)

    def pages(self, path: str, /, **parameters: str | int) -> Iterator[Json]:
        """Every item of a list, however many pages it has."""
        offset, count = 0, 1
        while offset < count:
            page = self.get(path, limit=_PAGE, offset=offset, **parameters)
            yield from _part(page, "items", list)
            offset, count = offset + _PAGE, _part(page, "count", int)

    def log_in(self, username: str, password: str) -> str:
        """A token for this password."""
        answer = self.post("v0/auth/token/", {"username": username, "password": password})
        return str(_part(answer, "token", str))

    def repository(self, name: str) -> Json:
        """The repository `[host/]owner/name`."""
        for found in self.pages("v1/repositories", name=name):
            return found
        raise SiteRefused(f"expected a repository that you may see, found none named {printable(name, 200)}", 404)

    def check_results(self, records: list[Json]) -> list[str]:
        """What the site would refuse in the records."""
        answer = self.post("v0/check/results/", {"results": records})
        return [str(_part(error, "error", str)) for error in _part(_part(answer, "response", dict), "errors", list)]

    def submit(self, submission: Submission) -> Json:
        """The build that the records became, and the numbers of its results."""
        facts = {
            "repository": submission.repository,
            "commit": submission.commit,
            "branch": submission.branch,
            "public": str(submission.public).lower(),
        }
        with ExitStack() as stack:
            opened = [("predictions", (path.name, stack.enter_context(_opened(path)))) for path in submission.files]
            files = [("records", ("records.json", submission.records)), *opened]
            return self._ask("POST", "v1/submissions", data=facts, files=files)

    def _ask(self, method: str, path: str, **content: Any) -> Json:
        for _ in range(_PATIENCE):
            answer = self._send(method, path, **content)
            if answer.status_code != _TOO_MANY or "X-Ratelimit-Retry" not in answer.headers:
                break
            time.sleep(_seconds(answer.headers["X-Ratelimit-Retry"]))
        return _content(answer)

    def _send(self, method: str, path: str, **content: Any) -> httpx.Response:
        try:
            return self._http.request(method, path, **content)
        except UnicodeError as error:
            raise Unusable(f"expected text that can be sent to {self.url}, found: {error}") from error
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise SiteUnreachable(
                f"expected an answer of {self.url}, found: {error or type(error).__name__}"
            ) from error


def put(url: str, content: bytes) -> str:
    """Send bytes to a signed address, which needs no token, and return the ETag that it answers."""
    try:
        answer = httpx.put(url, content=content, timeout=TIMEOUT)
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise SiteUnreachable(f"expected to send a part, found: {error or type(error).__name__}") from error
    if answer.is_success and "ETag" in answer.headers:
        return answer.headers["ETag"]
    _content(answer)
    raise SiteUnreachable(f"expected an ETag for the part, found none in an answer with status {answer.status_code}")


def _opened(path: Path) -> BinaryIO:
    try:
        return path.open("rb")
    except OSError as error:
        raise Unusable(f"expected to read {str(path)!r}, found: {error.strerror}") from error


class _Answer(dict[str, Json]):
    """JSON of a site. Raises SiteUnreachable for a member that it does not have: then something else gave it."""

    def __missing__(self, name: str) -> Json:
        return _part(self, name, object)


def _part(answer: Json, name: str, kind: type) -> Json:
    """A member of an answer. Raises SiteUnreachable when something else than a site gave it."""
    if isinstance(answer, dict) and name in answer and isinstance(answer[name], kind):
        return answer[name]
    raise SiteUnreachable(f"expected an answer of a sotabench site, found JSON without {name}; is its address right?")


def _seconds(text: str) -> float:
    """How long a site asks to wait, within what it may ask."""
    try:
        asked = float(text)
    except ValueError:
        return 1.0
    return min(max(asked, 0.0), _LONGEST_WAIT) if math.isfinite(asked) else 1.0


def _content(answer: httpx.Response) -> Json:
    """The answer's JSON. Raises SiteRefused with the site's own words where it gave any."""
    try:
        found = answer.json(object_hook=_Answer) if answer.content else _Answer()
    except ValueError:
        found = None
    if answer.is_success and isinstance(found, dict):
        return found
    said = found if isinstance(found, dict) else {}
    messages = [said["message"]] if "message" in said else said.get("errors") or []
    if messages:
        raise SiteRefused("; ".join(printable(str(message), 1000) for message in messages), answer.status_code)
    if answer.has_redirect_location:
        where = printable(answer.headers["Location"], 300)
        raise SiteUnreachable(
            f"expected an answer, found a redirect to {where}; set SOTABENCH_URL to where the site is"
        )
    raise SiteUnreachable(
        f"expected an answer of a sotabench site at {answer.url.host}, "
        f"found status {answer.status_code} and no JSON object"
    )
