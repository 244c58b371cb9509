"""Where one attempt at a build happens: handed to every stage's function.

A stage returns its facts, or raises Failed (the repository's fault, its message is shown) or Broken (ours).
"""

import threading
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

from sotabench.errors import Failed
from sotabench.runner.egress import Egress, Rules
from sotabench.runner.kept import TooMuchLeft, is_too_much
from sotabench.runner.package_index import PackageIndex
from sotabench.runner.sandbox import Ended, Mount, Outcome, Sandbox, Slot, Task, own

# Where things lie inside the sandbox, in every stage.
REPOSITORY = "/work/repository"
OUTPUT = "/work/output"
CACHE = "/work/cache"
ENVIRONMENT = "/work/environment"
DATA = "/work/data"
PREPARED = "/work/prepared"
INSIDE = "/work/inside"
HOME = "/work/home"
FACTS = "/work/facts"
CERTIFICATES = "/work/certificates.pem"
RECORDS = f"{OUTPUT}/records.json"

_CERTIFICATE_VARIABLES = ("SSL_CERT_FILE", "GIT_SSL_CAINFO", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "PIP_CERT")


@dataclass(frozen=True)
class Base:
    """What every build's environment stands on: an interpreter, and packages that win over what a repository asks.

    `held` are those packages and all that they need, with their versions; `mounts` make interpreter and packages work
    inside, at the paths that they have outside, without the tables of labels.
    """

    python: Path
    packages: tuple[Path, ...]  # the folders that hold them
    held: Mapping[str, str]
    mounts: tuple[Mount, ...]
    described: str  # changes whenever interpreter or packages do


@dataclass(frozen=True)
class Workplace:
    """One attempt's slot, sandbox and folder, and how its stages speak and are stopped."""

    slot: Slot
    sandbox: Sandbox
    folder: Path  # of this attempt
    kept: Path  # of this repository: what its builds leave to the next ones
    base: Base
    index: PackageIndex
    say: Callable[[str], None]  # a line of the platform's own in the build's log
    output: Callable[[bytes], None]  # what the build's own processes print
    stop: threading.Event
    proxy: Callable[[Rules], AbstractContextManager[Egress]]  # to these hosts and no others
    certificates: Path | None = None  # authorities to believe, where they are not the machine's own

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
        """The build's home folder, kept from stage to stage; seen as HOME."""
        return self.folder / "home"

    @property
    def facts(self) -> Path:
        """What our own helpers inside write down for us; seen as FACTS."""
        return self.folder / "facts"

    def give(self, *folders: Path) -> None:
        """Let these folders be there, with all in them the slot's."""
        for folder in folders:
            folder.mkdir(parents=True, exist_ok=True)
            own(folder, self.slot)

    def run(self, task: Task) -> Outcome:
        """Run it, what it prints going to the build's log."""
        return self.sandbox.run(task, output=self.output, stop=self.stop)

    def trusting(self) -> tuple[tuple[Mount, ...], dict[str, str]]:
        """The mount and the variables with which programs inside believe the authorities that the machine believes."""
        if self.certificates is None:
            return (), {}
        return (Mount(self.certificates, CERTIFICATES),), dict.fromkeys(_CERTIFICATE_VARIABLES, CERTIFICATES)


def check_ended(outcome: Outcome, what: str) -> None:
    """Raise Failed, or TooMuchLeft, when the task did not come to its own end; its exit code is not looked at."""
    if is_too_much(outcome):
        raise TooMuchLeft(f"{what}: {outcome.reason}")
    if outcome.ended is not Ended.EXITED:
        raise Failed(f"{what}: {outcome.reason}")
