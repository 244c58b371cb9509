"""Reading what a client of the proxy asks, strictly: what two readers could read in two ways is refused."""

import re
from dataclasses import dataclass

from sotabench.runner.egress.rules import normal_host

LONGEST = 16 << 10  # bytes of a request's head
END = b"\r\n\r\n"
_LINE = re.compile(rb"([A-Z]{1,20}) ([\x21-\x7e]{1,8000}) HTTP/1\.[01]")
_FIELD = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*([\x20-\x7e\x80-\xff\t]*)")
_AUTHORITY = re.compile(r"(?:\[([0-9a-fA-F:.]+)\]|([^:\[\]@/]+)):(\d{1,5})")
_ABSOLUTE = re.compile(r"http://(?:\[([0-9a-fA-F:.]+)\]|([^:\[\]@/?#]+))(?::(\d{1,5}))?(/[^#]*)?")
_ONE_HOP = {
    "connection",
    "content-length",
    "expect",
    "host",
    "keep-alive",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
}


class Refused(Exception):  # noqa: N818 - reads as what happens to the request
    """The answer's status, and a sentence."""

    def __init__(self, status: str, why: str) -> None:
        super().__init__(why)
        self.status = status


@dataclass(frozen=True)
class Request:
    """Where to, and what is to be sent there first: nothing for a tunnel, a head for plain http."""

    host: str
    port: int
    head: bytes = b""


def read_request(head: bytes) -> Request:
    """The request of a whole head, its empty line included.

    Raises Refused.
    """
    line, *fields = head.removesuffix(END).split(b"\r\n")
    found = _LINE.fullmatch(line)
    if not found:
        raise Refused("400 Bad Request", "expected a request line of HTTP/1.1, found another")
    parsed = [_FIELD.fullmatch(text) for text in fields]
    pairs = [(match[1], match[2]) for match in parsed if match]
    if len(pairs) < len(parsed):
        raise Refused("400 Bad Request", "expected header fields, found a line that is none")
    method, target = found[1].decode("ascii"), found[2].decode("ascii")
    if method == "CONNECT":
        return _tunnel(target)
    if method not in {"GET", "HEAD"}:
        raise Refused("405 Method Not Allowed", f"expected CONNECT, found {method}")
    return _plain(method, target, pairs)


def _tunnel(target: str) -> Request:
    found = _AUTHORITY.fullmatch(target)
    host = normal_host(found[1] or found[2]) if found else None
    if not found or not host:
        raise Refused("400 Bad Request", "expected host:port, found something else")
    return Request(host, int(found[3]))


def _plain(method: str, target: str, fields: list[tuple[bytes, bytes]]) -> Request:
    """The head is written anew, with nothing in it that could announce a body or another request."""
    found = _ABSOLUTE.fullmatch(target)
    host = normal_host(found[1] or found[2]) if found else None
    if not found or not host:
        raise Refused("400 Bad Request", "expected an http:// address, found something else")
    port = int(found[3] or 80)
    shown = f"[{host}]" if ":" in host else host
    lines = [f"{method} {found[4] or '/'} HTTP/1.1".encode(), f"Host: {shown}:{port}".encode(), b"Connection: close"]
    for name, value in fields:
        lowered = name.decode("ascii").lower()
        if lowered not in _ONE_HOP and not lowered.startswith(("proxy-", "upgrade")):
            lines.append(name + b": " + value)
    return Request(host, port, b"\r\n".join(lines) + END)
