"""Hostile repositories through the whole pipeline: a site on loopback, the runner's own functions, the real sandbox.

Each is a git repository of this machine; its `sotabench.py` writes records as it likes, by `tool.py` beside it.
"""

import os
import subprocess
import threading
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from conftest import IMAGES, seen

from sotabench.runner.attempt import run_attempt
from sotabench.runner.base import find_base
from sotabench.runner.build import run_build
from sotabench.runner.egress import Rules
from sotabench.runner.loop import Signals
from sotabench.runner.package_index import NOWHERE, PackageIndex
from sotabench.runner.sandbox import Bubblewrap, Slot
from sotabench.runner.settings import RunnerSettings
from sotabench.runner.shop import Shop
from sotabench.runner.site import RunnersSite
from sotabench.server.benchmarks.models import Result
from sotabench.server.builds import leases
from sotabench.server.builds.models import Build, LogChunk
from sotabench.server.builds.services import build_push
from sotabench.server.repositories.models import Repository

UIDS = 200_000 + 2 * (os.getpid() % 50_000)
SECRET = "sbr_of_this_very_runner"  # noqa: S105 - a build's search for it must find nothing
TOOL = Path(__file__).with_name("tool.py.txt")
GIT = {
    "PATH": os.environ["PATH"], "HOME": "/nonexistent", "GIT_CONFIG_NOSYSTEM": "1", "GIT_AUTHOR_NAME": "Mallory",
    "GIT_AUTHOR_EMAIL": "mallory@example.org", "GIT_COMMITTER_NAME": "Mallory",
    "GIT_COMMITTER_EMAIL": "mallory@example.org",
}  # fmt: skip


@pytest.fixture(scope="session")
def base(tmp_path_factory):
    return find_base(tmp_path_factory.mktemp("base"))


@pytest.fixture(scope="session")
def environments(tmp_path_factory):
    """Kept over the tests: all of these repositories ask for nothing."""
    return tmp_path_factory.mktemp("environments")


@pytest.fixture
def shop(works, base, environments, copy, tmp_path):
    """A runner's shop with two slots and no way out, beside forty images that are none."""
    val = tmp_path / "data" / copy.folder / "val" / "n01440764"
    val.mkdir(parents=True)
    for place in range(IMAGES):
        (val / f"{seen(place)}.JPEG").write_bytes(bytes([place]))
    folder = tmp_path / "runner"
    folder.mkdir(mode=0o711)
    (folder / "environments").symlink_to(environments)
    settings = RunnerSettings.from_environment(
        {"SOTABENCH_RUNNER_FOLDER": str(folder), "SOTABENCH_RUNNER_DATA": str(tmp_path / "data")}
    )
    root = os.geteuid() == 0
    slots = {k: Slot(k, UIDS + k, UIDS + k) if root else Slot(k, os.geteuid(), os.getegid()) for k in (0, 1)}
    return Shop(
        settings=replace(settings, disk=1 << 30, memory=2 << 30, seconds=120.0),
        base=base,
        index=PackageIndex({"UV_DEFAULT_INDEX": NOWHERE}, (), Rules()),
        hardware={"processor": "of the tests"},
        sandboxes={number: Bubblewrap(slot) for number, slot in slots.items()},
        slots=slots,
        is_trusting=False,
    )


@dataclass
class Ended:
    """What became of a build."""

    build: Build
    log: str

    @property
    def status(self) -> str:
        return self.build.status

    @property
    def results(self) -> list[Result]:
        return list(self.build.results.order_by("id"))


@dataclass
class Pushed:
    """A repository of mallory's: `push` commits files and builds them."""

    row: Repository
    folder: Path
    work: "Pipeline"

    def git(self, *words: str) -> str:
        done = subprocess.run(["git", *words], cwd=self.folder, env=GIT, capture_output=True, text=True, check=True)
        return done.stdout.strip()

    def commit(self, text: str = "", **files: str) -> str:
        """Of `sotabench.py` with this text; further files by `name__py`."""
        named = {name.replace("__", "."): content for name, content in files.items()}
        given = {"requirements.txt": "", "tool.py": TOOL.read_text(), "sotabench.py": f"from tool import *\n{text}"}
        for name, content in (given | named).items():
            (self.folder / name).write_text(content)
        self.git("add", "--all")
        self.git("commit", "--quiet", "--allow-empty", "-m", "a commit")
        return self.git("rev-parse", "HEAD")

    def push(self, text: str = "", **files: str) -> Ended:
        build_push(self.row, commit=self.commit(text, **files), branch="main")
        return self.work.run()


class Pipeline:
    """A site that waits for builds, and a runner that runs the next one when it is told to."""

    def __init__(self, url: str, shop: Shop) -> None:
        runner, token = leases.create_runner("lab")
        self.runner, self.shop, self.site, self.signals = runner, shop, RunnersSite(url, token), Signals()

    def run(self, slot: int = 0, shop: Shop | None = None) -> Ended:
        """The oldest build that waits, to its end."""
        job = self.site.claim(slot)
        assert job is not None
        used = shop or self.shop
        folder = used.attempt_folder(slot)
        run_attempt(self.site, job, slot, folder, lambda attempt: run_build(attempt, used), self.signals)
        found = Build.objects.get(repository=job.repository["id"], number=job.build["number"])
        lines = LogChunk.objects.filter(attempt__build=found).order_by("pk").values_list("text", flat=True)
        return Ended(found, "\n".join(lines))


@pytest.fixture
def pipeline(live_server, shop, monkeypatch):
    monkeypatch.setenv("SOTABENCH_RUNNER_TOKEN", SECRET)
    made = Pipeline(live_server.url, shop)
    yield made
    made.site.close()


@pytest.fixture
def repository(pipeline, ada, proven, tmp_path):
    """Makes repositories: folders of this machine, which the operator added."""

    def made(name="nets", owner=ada, **rest):
        folder = tmp_path / "git" / name
        folder.mkdir(parents=True)
        row = Repository.objects.create(
            host="localhost", owner_name="mallory", name=name, owner=owner, clone_url=f"file://{folder}",
            default_branch="main", **proven, **rest,
        )  # fmt: skip
        pushed = Pushed(row, folder, pipeline)
        pushed.git("init", "--quiet", "--initial-branch=main")
        return pushed

    return made


@pytest.fixture
def nets(repository):
    return repository()


@pytest.fixture
def until():
    """Waits for what another thread brings about."""

    def waited(true):
        for _ in range(1200):
            if true():
                return
            threading.Event().wait(0.05)
        raise AssertionError("it never came")

    return waited
