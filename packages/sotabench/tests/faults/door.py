"""A proxy in front of a site that a test can shut, and at which it can stop what a runner says."""

import http.client
import json
import threading
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


class Cut(Exception):  # noqa: N818 - what happens to a connection
    """The connection ends here."""


@dataclass(frozen=True)
class Said:
    """What a runner said: the call, the repository that it is about, and the stage that it told."""

    call: str
    repository: str
    stage: str


class Door:
    """Passes on what comes, while it is `open`; `heard` is called between the site's answer and the runner.

    `heard` may wait, and may raise Cut: then the answer is lost.
    """

    def __init__(self, port: int) -> None:
        self.open = threading.Event()
        self.open.set()
        self.is_cut = False  # how it is shut: refused at once, or silent
        self.heard: Callable[[Said], None] = lambda _: None
        self._site = port
        self._names: dict[str, str] = {}
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    @property
    def url(self) -> str:
        """Where a runner finds the site."""
        return f"http://127.0.0.1:{self._server.server_port}"

    def shut(self, *, silent: bool) -> None:
        """Let nothing through: refuse, or say nothing at all."""
        self.is_cut = not silent
        self.open.clear()

    def close(self) -> None:
        """End."""
        self.open.set()
        self._server.shutdown()
        self._server.server_close()

    def answer(self, handler: BaseHTTPRequestHandler) -> tuple[int, bytes]:
        """The site's answer. Raises Cut."""
        body = handler.rfile.read(int(handler.headers.get("Content-Length") or 0))
        self._pass()
        connection = http.client.HTTPConnection("127.0.0.1", self._site, timeout=60)
        try:
            headers = {name: value for name, value in handler.headers.items() if name != "Connection"}
            connection.request(handler.command, handler.path, body, headers)
            found = connection.getresponse()
            content = found.read()
        except (OSError, http.client.HTTPException) as error:
            raise Cut from error
        finally:
            connection.close()
        self.heard(self._said(handler, body, content))
        self._pass()
        return found.status, content

    def _pass(self) -> None:
        if self.is_cut and not self.open.is_set():
            raise Cut
        self.open.wait()

    def _said(self, handler: BaseHTTPRequestHandler, body: bytes, content: bytes) -> Said:
        call = handler.path.rpartition("/")[2]
        if call == "claim" and content.startswith(b"{") and len(content) > 2:
            job = json.loads(content)
            if "token" in job:
                self._names[job["token"]] = job["repository"]["name"].rpartition("/")[2]
        stage = json.loads(body).get("stage", "") if call == "renew" else ""
        return Said(call, self._names.get(handler.headers.get("X-Attempt", ""), ""), stage)

    def _handler(door) -> type[BaseHTTPRequestHandler]:  # noqa: N805 - `self` is the handler's
        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                try:
                    status, content = door.answer(self)
                    self.send_response(status)
                    self.send_header("Content-Type", "application/json")
                    self.send_header("Content-Length", str(len(content)))
                    self.end_headers()
                    self.wfile.write(content)
                except (Cut, OSError):
                    self.close_connection = True

            do_GET = do_POST  # noqa: N815 - http.server's name

            def log_message(self, *_: object) -> None:
                pass

        return Handler
