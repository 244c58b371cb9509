"""A site as a process of its own, for the demo: started fresh on a free port, asked, and stopped for certain."""

import contextlib
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

OWNER = "owner"
_OWNER_LINE = re.compile(r"the password, shown this once: (\S+)")
_PORTS_TO_TRY = 3
_ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_SECONDS_TO_START, _SECONDS_TO_STOP = 180, 20


@dataclass(frozen=True)
class Site:
    """A site that answers, and its owner's password."""

    url: str
    password: str
    data: Path

    def token(self) -> str:
        """A token that may do all that the owner may."""
        return str(self.ask("v0/auth/token/", {"username": OWNER, "password": self.password})["token"])

    def ask(self, path: str, body: dict[str, str] | None = None, *, token: str = "") -> dict[str, Any]:
        """What the API answers."""
        content = None if body is None else json.dumps(body).encode()
        headers = {"Content-Type": "application/json"} | ({"Authorization": f"Bearer {token}"} if token else {})
        request = urllib.request.Request(f"{self.url}/api/{path}", content, headers)  # noqa: S310 - an address of ours
        with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310 - the same
            return dict(json.load(answer))


@contextlib.contextmanager
def serving(folder: Path) -> Iterator[Site]:
    """A site without a past, on a port of this machine alone; it is stopped at the end, whatever that end is."""
    for attempt in range(_PORTS_TO_TRY):
        shutil.rmtree(folder / "site", ignore_errors=True)  # the password is said by the first start alone
        (folder / "site.log").touch(0o600)  # the password is in it
        with (folder / "site.log").open("w+") as log, _process(folder / "site", log) as found:
            process, url = found
            if _answers(url, process):
                log.seek(0)
                yield Site(url, _OWNER_LINE.search(log.read())[1], folder / "site")
                return
            log.seek(0)
            said = log.read()
        if "in use" not in said or attempt == _PORTS_TO_TRY - 1:
            sys.exit(f"expected the site to start, found that it ended; it said:\n{said[-2000:]}")


def program(name: str) -> str:
    """The command of this name that was installed with this Python."""
    return str(Path(sys.executable).with_name(name))


def environment(changes: Mapping[str, str]) -> dict[str, str]:
    """This process's environment with these changes, without what else may be set for another site or library."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("SOTABENCH_", "DJANGO_"))}
    kept.pop("DATABASE_URL", None)
    return {**kept, **changes}


def answer_status(url: str) -> int:
    """The status with which the address answers."""
    try:
        with urllib.request.urlopen(url, timeout=60) as answer:  # noqa: S310 - an address of ours
            return int(answer.status)
    except urllib.error.HTTPError as error:
        error.close()
        return error.code


@contextlib.contextmanager
def _process(data: Path, log: TextIO) -> Iterator[tuple["subprocess.Popen[bytes]", str]]:
    """`sotabench serve` with its data there, and its address; no longer there afterwards."""
    port = _free_port()
    command = [program("sotabench"), "serve", "--data", str(data), "--port", str(port), "--owner", OWNER]
    with _signals_waiting() as let_through:
        # In a session of its own, so that Ctrl-C reaches only the demo, which then ends it.
        process = subprocess.Popen(
            command, env=environment({}), stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
        )
        try:
            let_through()
            yield process, f"http://127.0.0.1:{port}"
        finally:
            _stop(process)


@contextlib.contextmanager
def _signals_waiting() -> Iterator[Callable[[], None]]:
    """Ctrl-C and its like wait until they are let through: one that came while a process starts would lose it."""
    came: list[int] = []
    usual = {number: signal.signal(number, lambda number, _frame: came.append(number)) for number in _ENDING}

    def let_through() -> None:
        for number in [number for number in _ENDING if number in usual]:
            signal.signal(number, usual.pop(number))
        while came:
            signal.raise_signal(came.pop())

    try:
        yield let_through
    finally:
        let_through()


def _answers(url: str, process: "subprocess.Popen[bytes]") -> bool:
    """Wait until the site answers; False when it ended instead."""
    until = time.monotonic() + _SECONDS_TO_START
    while process.poll() is None and time.monotonic() < until:
        with contextlib.suppress(OSError):
            if answer_status(f"{url}/healthz") == 200:
                return process.poll() is None
        time.sleep(0.2)
    return False


def _stop(process: "subprocess.Popen[bytes]") -> None:
    process.terminate()
    try:
        process.wait(_SECONDS_TO_STOP)
    except (subprocess.TimeoutExpired, KeyboardInterrupt):  # it hangs, or the person is in a hurry
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])
