"""Which hosts a stage may reach."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Self

from sotabench.errors import Misconfigured

HTTPS = 443
_LABEL = r"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?"
_NAME = re.compile(rf"{_LABEL}(\.{_LABEL})*")
_IPV6 = re.compile(r"[0-9a-f:.]*:[0-9a-f:.]*")
_RULE = re.compile(r"(?P<wild>\*\.)?(?:\[(?P<ipv6>[0-9a-f:.]+)\]|(?P<name>[^\s:\[\]/*]+))(?::(?P<port>\d{1,5}))?")


@dataclass(frozen=True)
class Rules:
    """`hosts` may be public ones only; `internal`, always `host:port`, may be anywhere and speak plain http.

    A host is a name, or `*.name` for all names below it (not for itself), with `:port` where it is another than 443.
    """

    hosts: frozenset[str] = frozenset()
    internal: frozenset[str] = frozenset()

    @classmethod
    def of(cls, hosts: Iterable[str] = (), internal: Iterable[str] = ()) -> Self:
        """From what an operator wrote. Raises Misconfigured for what is no rule."""
        checked = frozenset(_rule(text, needs_port=False) for text in hosts)
        return cls(checked, frozenset(_rule(text, needs_port=True) for text in internal))

    def __or__(self, other: "Rules") -> "Rules":
        return Rules(self.hosts | other.hosts, self.internal | other.internal)

    def is_internal(self, host: str, port: int) -> bool:
        """Whether the operator listed exactly this."""
        return f"{host}:{port}" in self.internal

    def allows(self, host: str, port: int) -> bool:
        """Whether a stage may ask for it; the address that it has must be judged besides."""
        if self.is_internal(host, port) or f"{host}:{port}" in self.hosts:
            return True
        parents = [host[place:] for place, letter in enumerate(host) if letter == "."]
        return any(f"*{parent}:{port}" in self.hosts for parent in parents)


def normal_host(text: str) -> str | None:
    """The host in the one spelling that rules know, or None when it is not a host's name or address."""
    host = text.lower().removesuffix(".")
    if len(host) > 253 or not (_NAME.fullmatch(host) or _IPV6.fullmatch(host)):
        return None
    return host


def _rule(text: str, *, needs_port: bool) -> str:
    found = _RULE.fullmatch(text.strip().lower())
    host = normal_host(found["ipv6"] or found["name"]) if found else None
    if not found or host is None or (needs_port and (not found["port"] or found["wild"])):
        expected = "host:port" if needs_port else "a host, *.host or host:port"
        raise Misconfigured(f"expected {expected}, found {text[:300]!r}")
    port = int(found["port"] or HTTPS)
    if not 0 < port < 1 << 16:
        raise Misconfigured(f"expected a port from 1 to 65535, found {text[:300]!r}")
    return f"{found['wild'] or ''}{host}:{port}"
