"""A real sandbox on this machine, or the reason why there is none."""

import os
import sys
import threading
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from sotabench.errors import Broken
from sotabench.runner.sandbox import Bubblewrap, Limits, Mount, Outcome, Sandbox, Slot, Task, interpreter_mounts, own
from sotabench.runner.sandbox.interpreter import own_interpreter

MEGABYTE = 1 << 20
LIMITS = Limits(
    seconds=60, memory=1024 * MEGABYTE, disk=256 * MEGABYTE, files=2000, processes=64, file_size=64 * MEGABYTE
)
UID = 100_000 + os.getpid()  # of no other test that runs at the same time: processes are counted for each
SLOT = Slot(number=0, uid=UID, gid=UID)


@dataclass
class Inside:
    """Runs commands inside and keeps what they print."""

    sandbox: Sandbox
    checkout: Path
    printed: bytearray = field(default_factory=bytearray)

    def task(self, *command: str, mounts=(), **changes) -> Task:
        arguments = {"folder": "/build", "environment": {}, "limits": LIMITS, **changes}
        mounted = [Mount(self.checkout, "/build", writable=True), *interpreter_mounts(own_interpreter()), *mounts]
        return Task(command=command, mounts=mounted, **arguments)

    @staticmethod
    def limits(**changes) -> Limits:
        return replace(LIMITS, **changes)

    def run(self, *command: str, stop: threading.Event | None = None, **changes) -> Outcome:
        self.printed.clear()
        return self.sandbox.run(
            self.task(*command, **changes), output=self.printed.extend, stop=stop or threading.Event()
        )

    def python(self, code: str, *arguments: str, **changes) -> Outcome:
        return self.run(str(own_interpreter()), "-I", "-c", code, *arguments, **changes)

    @property
    def text(self) -> str:
        return self.printed.decode(errors="replace")


@pytest.fixture(scope="session")
def works(tmp_path_factory):
    """Bubblewrap can isolate on this machine: where it cannot the test is skipped, but never where CI runs."""
    folder = tmp_path_factory.mktemp("works")
    own(folder, SLOT)
    try:
        outcome = Inside(Bubblewrap(SLOT), folder).run("true")
    except Broken as error:
        if os.environ.get("CI") == "true":
            pytest.fail(f"no sandbox on this machine: {error}")
        pytest.skip(f"no sandbox on this machine: {error}")
    assert outcome.well


@pytest.fixture
def slot():
    return SLOT


@pytest.fixture
def checkout(tmp_path):
    folder = tmp_path / "checkout"
    folder.mkdir()
    own(folder, SLOT)
    return folder


@pytest.fixture
def inside(works, checkout):
    return Inside(Bubblewrap(SLOT), checkout)


@pytest.fixture
def say(capfd):
    """Print a line for whoever reads the tests' output with -s or -rP."""

    def line(text: str) -> None:
        sys.stdout.write(f"{text}\n")

    return line
