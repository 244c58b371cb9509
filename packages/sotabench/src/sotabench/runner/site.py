"""What a runner says to its site over HTTP, and what it hears.

A call about an attempt is said again while the site does not answer, for as long as a lease lasts. Where it answers
others meanwhile and this one never, as it does not for what makes it fail, that is no lost lease but Broken.
"""

import hashlib
import json
import os
import secrets
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx

from benchrecord import printable
from benchrecord.files import move_over
from sotabench.errors import Broken, Misconfigured, SiteRefused, SiteUnreachable, SotabenchError

TIMEOUT = 60.0
_NO_LONGER = frozenset({401, 403, 404, 409})
_LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})
_FIRST_PAUSE, _LONGEST_PAUSE = 0.2, 5.0

Json = Any


class LeaseLost(SotabenchError):  # noqa: N818 - reads as what happened
    """The build is no longer this runner's; nothing more can be said about it."""


@dataclass(frozen=True)
class Job:
    """A build to run, as the site gives it."""

    token: str
    lease_seconds: float
    build: Mapping[str, Any]
    repository: Mapping[str, Any]
    data: tuple[Mapping[str, Any], ...]
    files: tuple[Mapping[str, Any], ...]


@dataclass(frozen=True)
class Known:
    """What was measured before: all of it in the build of this number, or the calls with these keys."""

    carried_from: int | None
    done: tuple[str, ...]


class RunnersSite:
    """The site, in the name of a runner's token."""

    def __init__(self, url: str, token: str) -> None:
        self.url = url
        self.is_gone = threading.Event()
        """Set when nobody will answer any more: nothing is said again."""
        headers = {"Authorization": f"Bearer {token}"}
        try:
            place = urlsplit(url)
            if place.hostname in _LOOPBACK:
                headers["X-Forwarded-Proto"] = (
                    "https"  # to a site behind a proxy; nothing leaves this machine on the way
                )
            self._http = httpx.Client(base_url=f"{url.rstrip('/')}/api/runner", headers=headers, timeout=TIMEOUT)
        except (httpx.InvalidURL, ValueError) as error:
            raise Misconfigured(f"expected the address of a site, found {url!r}: {error}; see --url") from error
        if place.scheme not in {"http", "https"} or not place.hostname:
            raise Misconfigured(f"expected the address of a site as https://..., found {url!r}; see --url")

    def close(self) -> None:
        """End the connections."""
        self._http.close()

    def hello(self, facts: Mapping[str, Any], *, is_trusting: bool, trouble: str) -> Json:
        """Tell what this runner is. Raises SiteRefused, SiteUnreachable."""
        return self.ask("hello", json={"facts": dict(facts), "is_trusting": is_trusting, "trouble": trouble[:1000]})

    def claim(self, slot: int) -> Job | None:
        """A build for the slot, when one waits. Raises SiteRefused, SiteUnreachable."""
        found = self.ask("claim", json={"slot": slot})
        if not found:
            return None
        return Job(**{**found, "data": tuple(found["data"]), "files": tuple(found["files"])})

    def ask(self, call: str, *, attempt: str = "", method: str = "POST", **content: Any) -> Json:
        """The answer's JSON. Raises SiteRefused with the site's words, SiteUnreachable."""
        headers = {"X-Attempt": attempt} if attempt else {}
        try:
            answer = self._http.request(method, call, headers=headers, **content)
        except httpx.HTTPError as error:
            raise SiteUnreachable(f"expected an answer of the site, found: {error or type(error).__name__}") from error
        return _content(answer)

    def fetch(self, call: str, path: Path, *, attempt: str) -> None:
        """Write what the site sends to a file. Raises as `ask` does."""
        try:
            with self._http.stream("GET", call, headers={"X-Attempt": attempt}) as answer:
                if not answer.is_success:
                    answer.read()
                    _content(answer)
                with path.open("wb") as file:
                    for chunk in answer.iter_bytes():
                        file.write(chunk)
                    file.flush()
                    os.fsync(file.fileno())  # it is never looked at again, not even after a power cut
        except httpx.HTTPError as error:
            raise SiteUnreachable(f"expected a file of the site, found: {error or type(error).__name__}") from error


@dataclass
class Report:
    """One attempt's word to the site. Every call lengthens the lease; `lost` is set once it cannot be had back."""

    site: RunnersSite
    job: Job
    lost: threading.Event = field(default_factory=threading.Event)
    clock: Callable[[], float] = time.monotonic

    def __post_init__(self) -> None:
        self._heard = self.clock()

    def renew(self, stage: str = "") -> None:
        """A sign of life, and what the attempt is at. Raises LeaseLost."""
        self._say("renew", json={"stage": stage})

    def log(self, number: int, text: str) -> None:
        """Lines of the log. Raises LeaseLost."""
        self._say("log", json={"number": number, "text": text})

    def inputs(self, inputs: Mapping[str, Any], *, had_network: bool) -> Known:
        """Tell all that the results depend on. Raises LeaseLost."""
        found = self._say("inputs", json={"inputs": dict(inputs), "had_network": had_network})
        return Known(found["carried_from"], tuple(found["done"]))

    def call(self, number: int, record: Mapping[str, Any], predictions: bytes | None) -> Json:
        """Hand in a call's record and predictions. Raises LeaseLost, and SiteRefused where it was not accepted."""
        files = {"record": ("record.json", json.dumps([record]).encode())}
        if predictions is not None:
            files["predictions"] = ("predictions.npz", predictions)
        return self._say("calls", data={"number": str(number)}, files=files)

    def fetch(self, sha256: str, path: Path) -> None:
        """The bytes of an uploaded data set, whole or not at all. Raises Broken."""
        coming = path.with_name(f".{path.name}.{secrets.token_hex(8)}")  # two builds may fetch it at once
        try:
            self.site.fetch(f"files/{sha256}", coming, attempt=self.job.token)
            with coming.open("rb") as file:
                found = hashlib.file_digest(file, "sha256").hexdigest()
            if found != sha256:
                raise Broken(f"expected a data set of SHA-256 {sha256}, found {found}")
            coming.chmod(0o644)
            move_over(coming, path)
        except (SiteRefused, SiteUnreachable, OSError) as error:
            raise Broken(f"a data set of the repository could not be fetched: {error}") from error
        finally:
            coming.unlink(missing_ok=True)

    def end(self, status: str, reason: str) -> str:
        """The attempt is over; what became of the build. Raises LeaseLost."""
        return str(self._say("end", json={"status": status, "reason": reason})["status"])

    def _say(self, call: str, **content: Any) -> Json:
        """Say it until the site hears it, or the lease must be over. Raises Broken where it hears all but this."""
        pause, began = _FIRST_PAUSE, self.clock()
        if call != "calls":  # which takes as long as scoring does
            content["timeout"] = min(TIMEOUT, self.job.lease_seconds)
        while not self.lost.is_set():
            try:
                answer = self.site.ask(call, attempt=self.job.token, **content)
            except SiteRefused as error:
                if error.status not in _NO_LONGER:
                    raise
                self.lost.set()
                raise LeaseLost(str(error)) from error
            except SiteUnreachable as error:
                if self.site.is_gone.is_set() or self.clock() - self._heard > self.job.lease_seconds:
                    self.lost.set()
                    raise LeaseLost(f"the site did not answer while the lease lasted: {error}") from error
                if self.clock() - began > self.job.lease_seconds:
                    raise Broken(f"the site heard everything but {call!r}: {error}") from error
                self.lost.wait(pause)
                pause = min(2 * pause, _LONGEST_PAUSE)
            else:
                self._heard = self.clock()
                return answer
        raise LeaseLost("the lease is lost")


def _content(answer: httpx.Response) -> Json:
    """The answer's JSON, or the error that its status stands for; what is the server's own trouble may pass."""
    try:
        found = answer.json()
    except ValueError:
        found = None
    if answer.is_success and found is not None:
        return found
    said = found if isinstance(found, dict) else {}
    words = printable("; ".join(map(str, said.get("errors") or [said.get("message") or answer.reason_phrase])), 1000)
    if answer.is_server_error or not said:
        raise SiteUnreachable(f"expected an answer of the site, found status {answer.status_code}")
    raise SiteRefused(words, answer.status_code)
