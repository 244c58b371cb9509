"""Every request that the server itself makes goes through `ask`: to an address that a stranger may have written.

A name is resolved once, every address that it has must be a public one, and the connection is made to that very
address; TLS and the Host header still carry the name. Redirects are handed back, never followed. Time and size are
bounded as a whole. Hosts that the site's owner lists as `host:port` in SOTABENCH_INTERNAL_HOSTS may be anywhere and may
speak plain http.

It does not protect against what a public host forwards, and it goes to hosts directly: a site that reaches the world
only through an HTTP proxy can make no such requests.
"""

import socket
import ssl
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

import httpcore
import httpx
from django.conf import settings

from sotabench.addresses import is_public
from sotabench.server.errors import Refused

MOST_BYTES = 1 << 20
SECONDS = 15.0
_PORTS = {"https": 443, "http": 80}

Resolve = Callable[[str, int], list[str]]


class Unanswered(Refused):
    """No usable answer came, or none was asked for because the address is not one that this site may ask."""

    status = 502


@dataclass(frozen=True)
class Answer:
    """What a host said; a redirect is an answer like another."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def is_success(self) -> bool:
        """Whether the status is one of success."""
        return 200 <= self.status < 300


@dataclass(frozen=True)
class Question:
    """What is asked: `most` bytes of an answer are read in at most `seconds`."""

    url: str
    method: str = "GET"
    headers: Mapping[str, str] | None = None
    body: bytes = b""
    most: int = MOST_BYTES
    seconds: float = SECONDS


def addresses_of(host: str, port: int) -> list[str]:
    """What the name resolves to now, as the system knows it."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise Unanswered(f"expected a host that can be found, found no address of {host[:100]}") from error
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


def ask(question: Question, *, resolve: Resolve = addresses_of) -> Answer:
    """The answer. Raises Unanswered, with a sentence that may be shown to whoever wrote the address."""
    target = _target(question.url)
    deadline = time.monotonic() + question.seconds
    backend = _OneAddress(resolve, deadline)
    body = question.body or None
    headers = _headers(target, question)
    try:
        with (
            httpcore.ConnectionPool(ssl_context=_tls(), network_backend=backend, max_connections=1) as pool,
            pool.stream(question.method, target.url, headers=headers, content=body, extensions=_times()) as answer,
        ):
            said = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in answer.headers}
            return Answer(answer.status, said, _read(answer.iter_stream(), question.most, deadline))
    except (httpcore.TimeoutException, TimeoutError) as error:
        raise Unanswered(f"expected an answer of {target.host} within {question.seconds:g} seconds") from error
    except (httpcore.NetworkError, httpcore.ProtocolError, OSError) as error:
        raise Unanswered(f"expected an answer of {target.host}, found: {str(error)[:200]}") from error


def check_url(url: str) -> None:
    """Raise Unanswered for an address that is not asked, wherever it leads: then no answer can ever come."""
    _target(url)


def address_for(host: str, port: int, *, resolve: Resolve = addresses_of) -> str:
    """The one address to connect to for this name. Raises Unanswered where one of its addresses is not public."""
    found = resolve(host, port)
    if not found:
        raise Unanswered(f"expected a host that can be found, found no address of {host[:100]}")
    if not is_internal(host, port) and not all(map(is_public, found)):
        raise Unanswered(
            f"expected a public host, found {host[:100]}, which is not one; whoever runs this site can list "
            f"{host[:100]}:{port} in SOTABENCH_INTERNAL_HOSTS"
        )
    return found[0]


def is_internal(host: str, port: int) -> bool:
    """Whether the site's owner listed it."""
    return f"{host.lower()}:{port}" in settings.INTERNAL_HOSTS


@dataclass(frozen=True)
class _Target:
    host: str
    port: int
    url: httpcore.URL
    shown: str


def _target(text: str) -> _Target:
    """The address in pieces, so that no second parser reads it otherwise."""
    try:
        url = urlsplit(text)
        host, port = url.hostname or "", url.port or _PORTS.get(url.scheme, 0)
    except ValueError as error:
        raise Unanswered(f"expected an https address, found {text[:200]!r}") from error
    if url.scheme not in _PORTS or not host or not text.isascii() or not text.isprintable() or " " in text:
        raise Unanswered(f"expected an https address, found {text[:200]!r}")
    if url.username is not None or url.password is not None:
        raise Unanswered("expected an address without a name or password in it")
    if url.scheme == "http" and not is_internal(host, port):
        raise Unanswered(f"expected an https address, found {text[:200]!r}")
    path = (url.path or "/") + (f"?{url.query}" if url.query else "")
    shown = f"[{host}]" if ":" in host else host
    shown = shown if port == _PORTS[url.scheme] else f"{shown}:{port}"
    core = httpcore.URL(scheme=url.scheme.encode(), host=host.encode(), port=port, target=path.encode())
    return _Target(host, port, core, shown)


def _headers(target: _Target, question: Question) -> list[tuple[bytes, bytes]]:
    headers = {"Host": target.shown, "User-Agent": "sotabench", "Accept-Encoding": "identity", "Connection": "close"}
    headers |= question.headers or {}
    if question.body or question.method not in {"GET", "HEAD"}:
        headers["Content-Length"] = str(len(question.body))
    return [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers.items()]


def _read(parts: Iterable[bytes], most: int, deadline: float) -> bytes:
    whole = bytearray()
    for part in parts:
        whole += part
        if len(whole) > most:
            raise Unanswered(f"expected an answer of at most {most} bytes, found more")
        if time.monotonic() > deadline:
            raise TimeoutError
    return bytes(whole)


def _tls() -> ssl.SSLContext:
    return httpx.create_ssl_context()


def _times() -> dict[str, object]:
    """The backend below knows the deadline; without any value here, httpcore would pass none on."""
    return {"timeout": dict.fromkeys(("connect", "read", "write", "pool"), SECONDS)}


class _OneAddress(httpcore.NetworkBackend):
    """Connects to the address that was checked, and nowhere else; every wait ends at the deadline."""

    def __init__(self, resolve: Resolve, deadline: float) -> None:
        self._resolve = resolve
        self._deadline = deadline
        self._inner = httpcore.SyncBackend()

    def connect_tcp(  # the signature is httpcore's
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ARG002
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.NetworkStream:
        """A connection to the one address of this name."""
        address = address_for(host, port, resolve=self._resolve)
        left = _left(self._deadline)
        stream = self._inner.connect_tcp(address, port, left, local_address, socket_options)
        return _Bounded(stream, self._deadline)


class _Bounded(httpcore.NetworkStream):
    """A connection whose every wait ends at the deadline, however slowly the other end drips."""

    def __init__(self, stream: httpcore.NetworkStream, deadline: float) -> None:
        self._stream = stream
        self._deadline = deadline

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ARG002
        """Some bytes."""
        return self._stream.read(max_bytes, _left(self._deadline))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:  # noqa: ARG002
        """All bytes."""
        self._stream.write(buffer, _left(self._deadline))

    def close(self) -> None:
        """End it."""
        self._stream.close()

    def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,  # noqa: ARG002
    ) -> httpcore.NetworkStream:
        """The same over TLS, for the name that was asked for."""
        inner = self._stream.start_tls(ssl_context, server_hostname, _left(self._deadline))
        return _Bounded(inner, self._deadline)

    def get_extra_info(self, info: str) -> object:
        """What the connection knows of itself."""
        return self._stream.get_extra_info(info)


def _left(deadline: float) -> float:
    left = deadline - time.monotonic()
    if left <= 0:
        raise httpcore.ReadTimeout
    return left
