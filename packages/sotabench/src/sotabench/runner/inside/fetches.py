"""Which addresses a process asked for before it wrote which file: its own word, for people to read.

Python tells a hook what it opens and asks for; the hook writes lines of JSON into the file that SOTABENCH_FETCHES
names: `{"path": ..., "urls": [...]}` for a file opened to be written after something was asked for, and
`{"from": ..., "to": ...}` for one that was moved.
"""

import json
import os
import sys
import threading
from collections.abc import Callable
from types import ModuleType
from typing import Any

from .imports import after_import

_WRITING = os.O_WRONLY | os.O_RDWR
_MOST_URLS = 20
_thread = threading.local()


def install() -> None:
    """Listen, if this process was told where to write."""
    path = os.environ.get("SOTABENCH_FETCHES")
    if not path:
        return
    notes = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)

    def hook(event: str, arguments: "tuple[Any, ...]") -> None:
        if event in _EVENTS:
            for note in _EVENTS[event](*arguments):
                os.write(notes, json.dumps(note).encode() + b"\n")

    sys.addaudithook(hook)
    for name in ("httpx", "httpx2"):
        after_import(name, _watch_httpx)


def _asked(url: str) -> None:
    urls = vars(_thread).setdefault("urls", [])
    if url not in urls:
        urls.append(url)
        del urls[:-_MOST_URLS]


def _urllib(url: Any, *_: Any) -> "list[Any]":
    _asked(str(url))
    return []


def _http(connection: Any, data: Any) -> "list[Any]":
    """What urllib3, and with it requests, sends."""
    line = bytes(data[:4000]).split(b"\r\n", 1)[0].split(b" ") if isinstance(data, (bytes, bytearray)) else []
    if len(line) == 3 and line[0] in {b"GET", b"HEAD"}:
        host = getattr(connection, "_tunnel_host", None) or connection.host
        target = line[1].decode("latin-1")
        _asked(target if "://" in target else f"https://{host}{target}")
    return []


def _open(path: Any, mode: Any, flags: Any) -> "list[Any]":
    del mode
    urls = vars(_thread).get("urls")
    if not urls or not isinstance(path, (str, bytes)) or not flags & _WRITING or os.fsdecode(path).startswith("/dev/"):
        return []
    _thread.urls = []
    return [{"path": os.path.abspath(os.fsdecode(path)), "urls": urls}]


def _rename(source: Any, target: Any, *_: Any) -> "list[Any]":
    try:
        return [{"from": os.path.abspath(os.fsdecode(source)), "to": os.path.abspath(os.fsdecode(target))}]
    except TypeError:
        return []


_EVENTS: "dict[str, Callable[..., list[Any]]]" = {
    "urllib.Request": _urllib,
    "http.client.send": _http,
    "open": _open,
    "os.rename": _rename,
}


def _watch_httpx(module: ModuleType) -> None:
    for name in ("Client", "AsyncClient"):
        kind = getattr(module, name)

        def send(self: Any, request: Any, *arguments: Any, _send: Any = kind.send, **named: Any) -> Any:
            _asked(str(request.url))
            return _send(self, request, *arguments, **named)

        kind.send = send
