"""Where one attempt at a build happens: handed to every stage's function.

A stage returns its facts, or raises Failed (the repository's fault, its message is shown) or Broken (ours).
"""

import threading
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sotabench.runner.sandbox import Sandbox, Slot

# Where things lie inside the sandbox, in every stage.
REPOSITORY = "/work/repository"
OUTPUT = "/work/output"
CACHE = "/work/cache"
ENVIRONMENT = "/work/environment"
DATA = "/work/data"
PREPARED = "/work/prepared"
INSIDE = "/work/inside"
HOME = "/work/home"
RECORDS = f"{OUTPUT}/records.json"


@dataclass(frozen=True)
class Base:
    """What every build's environment stands on: an interpreter, and packages that win over what a repository asks.

    `roots` are the folders that must be seen, at the same paths, for both to work; `hidden` are files in them that
    nobody inside may read, such as tables of labels.
    """

    python: Path
    packages: tuple[Path, ...]
    roots: tuple[Path, ...]
    hidden: tuple[Path, ...] = ()


@dataclass(frozen=True)
class Workplace:
    """One attempt's slot, sandbox and folder, and how its stages speak and are stopped."""

    slot: "Slot"
    sandbox: "Sandbox"
    folder: Path
    base: Base
    say: Callable[[str], None]  # a line of the platform's own in the build's log
    output: Callable[[bytes], None]  # what the build's own processes print
    stop: threading.Event
    proxy: Callable[[Sequence[str]], AbstractContextManager[Path]]  # to these hosts and no others: its socket

    @property
    def repository(self) -> Path:
        """The checkout; seen as REPOSITORY."""
        return self.folder / "repository"

    @property
    def output_folder(self) -> Path:
        """Where records and predictions land; seen as OUTPUT."""
        return self.folder / "output"

    @property
    def home(self) -> Path:
        """What the repository's setup script left in its home; seen as HOME."""
        return self.folder / "home"
