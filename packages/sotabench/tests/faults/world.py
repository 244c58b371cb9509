"""A whole world in a folder: a site, runners, repositories, each a real process or a real folder, each mortal."""

import contextlib
import itertools
import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path

HERE = Path(__file__).parent
SOTABENCH = [sys.executable, "-c", "import sys; from sotabench.site import main; sys.exit(main())"]
PATIENCE = 90.0
UIDS = 20  # of each world, so that none is taken for what another one left
_worlds = itertools.count()
FINAL = {"finished", "failed", "broken", "skipped", "cancelled"}
GIT = ["git", "-c", "user.name=a", "-c", "user.email=a@example.org", "-c", "init.defaultBranch=main"]
SETUP = "touch at-setup\nuntil [ -e go ]; do sleep 0.05; done\n"


def wait_for(what: Callable[[], object], *, why: str = "", patience: float = PATIENCE) -> object:
    """What `what` answers, once that is true."""
    deadline = time.monotonic() + patience
    while not (found := what()):
        assert time.monotonic() < deadline, f"waited in vain: {why or what}"
        time.sleep(0.05)
    return found


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


class Clerk:
    """The process that looks at the database; `ask` calls one of its functions."""

    def __init__(self, environment: dict[str, str]) -> None:
        environment = environment | {"DJANGO_SETTINGS_MODULE": "sotabench.server.settings"}
        self._process = subprocess.Popen(
            [sys.executable, str(HERE / "clerk.py")],
            env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        assert self._process.stdout.readline() == "ready\n"

    def ask(self, name: str, *arguments: object) -> object:
        answer = self.try_to(name, *arguments)
        assert "error" not in answer, answer
        return answer["found"]

    def try_to(self, name: str, *arguments: object) -> dict[str, object]:
        self._process.stdin.write(json.dumps([name, arguments]) + "\n")
        self._process.stdin.flush()
        return json.loads(self._process.stdout.readline())

    def close(self) -> None:
        self._process.stdin.close()
        self._process.wait(20)
        self._process.stdout.close()


class World:
    """Site and runners over one folder. `settings` are environment variables of all of them."""

    def __init__(self, folder: Path, database: str = "", **settings: str) -> None:
        self.folder, self.data, self.runners = folder, folder / "data", folder / "runner"
        self.first_uid = 1_000_000 + os.getpid() % 10_000 * 2_000 + next(_worlds) * UIDS
        self.port = free_port()
        self.address = f"http://127.0.0.1:{self.port}"
        ours = {
            "SOTABENCH_DATA": str(self.data),
            "SOTABENCH_SECRET_KEY": "",
            "SOTABENCH_LOG": "text",
            "SOTABENCH_BUILDS_WAITING": "1000",
            "SOTABENCH_RUNNER_FOLDER": str(self.runners),
            "SOTABENCH_RUNNER_UID": str(self.first_uid),
            "DATABASE_URL": database,
        }
        self.environment = {**os.environ, **ours, **settings}
        self._processes: list[subprocess.Popen] = []
        self._logs: list[object] = []
        self._told: set[tuple[int, int]] = set()
        self._commits: dict[str, str] = {}
        self.clerk = Clerk(self.environment)

    def close(self) -> None:
        """Kill all that was started."""
        for process in self._processes:
            if process.poll() is None:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
                process.wait(20)
            if process.stdin:
                process.stdin.close()
        self.clerk.close()
        for log in self._logs:
            log.close()

    # What lives.

    def start_site(self, *arguments: str) -> subprocess.Popen:
        """The site, once it answers."""
        self.site = process = self._start("site", [*SOTABENCH, "serve", "--port", str(self.port), *arguments])
        wait_for(lambda: self.is_well() or process.poll() is not None, why="the site answers")
        assert process.poll() is None, self.said("site")
        return process

    def start_runner(self, url: str, token: str, slots: int = 1) -> subprocess.Popen:
        """A runner of its own, beside no server."""
        facts = {"SOTABENCH_RUNNER_TOKEN": token, "SOTABENCH_RUNNER_SLOTS": str(slots)}
        return self._start("runner", [*SOTABENCH, "runner", "--url", url], **facts)

    def _start(self, name: str, command: list[str], **settings: str) -> subprocess.Popen:
        log = (self.folder / f"{name}.log").open("a")
        self._logs.append(log)
        environment = self.environment | settings
        process = subprocess.Popen(
            command, env=environment, cwd=self.folder, stdout=log, stderr=log, start_new_session=True
        )
        self._processes.append(process)
        return process

    def said(self, name: str) -> str:
        return (self.folder / f"{name}.log").read_text()

    def health(self) -> int:
        """The status of /healthz; 0 when nobody answers."""
        try:
            with urllib.request.urlopen(f"{self.address}/healthz", timeout=20) as answer:
                return answer.status
        except urllib.error.HTTPError as error:
            with error:
                return error.code
        except OSError:
            return 0

    def is_well(self) -> bool:
        return self.health() == 200

    # What is built.

    def add(self, name: str, *, waits: str = "", calls: int = 1) -> None:
        """A repository that is built in a second or two, but for waiting at that stage."""
        folder = self.folder / "repositories" / name
        folder.mkdir(parents=True)
        shutil.copy(HERE / "light.py", folder / "sotabench.py")
        (folder / "requirements.txt").write_text("numpy\n")
        (folder / "plan.json").write_text(json.dumps({"waits": waits, "calls": calls}))
        if waits == "setup":
            (folder / "sotabench_setup.sh").write_text(SETUP)
        subprocess.run([*GIT, "init", "-q"], cwd=folder, check=True)
        self.change(name)
        self.clerk.ask("add", name, f"file://{folder}")

    def change(self, name: str) -> None:
        """Commit something, so that nothing is known of its next build."""
        folder = self.folder / "repositories" / name
        (folder / "note").write_text(secrets.token_hex(8))
        for words in (["add", "."], ["commit", "-qm", "one"]):
            subprocess.run([*GIT, *words], cwd=folder, check=True)
        told = subprocess.run(["git", "rev-parse", "HEAD"], cwd=folder, check=True, capture_output=True, text=True)
        self._commits[name] = told.stdout.strip()

    def build(self, name: str) -> int:
        """Queue a build: its key."""
        return self.clerk.ask("build", name, self._commits[name])

    def reached(self, stage: str) -> bool:
        """Whether some build waits at this stage."""
        return any(self.runners.glob(f"slots/*/repository/at-{stage}"))

    def let_go(self) -> None:
        """What waits goes on; told once, for a file that is made while a folder is removed would keep it."""
        for mark in self.runners.glob("slots/*/repository/at-*"):
            with contextlib.suppress(OSError):
                made = mark.stat()
                known = made.st_ino, made.st_mtime_ns  # the number alone is given to another file later
                if known not in self._told:
                    self._told.add(known)
                    mark.with_name("go").touch()

    def until_final(self, keys: list[int], *, patience: float = PATIENCE) -> list[dict]:
        """All that is known of the builds, once each has come to its end; what waits at a stage is let go meanwhile."""

        def all_final() -> list[dict] | None:
            self.let_go()
            time.sleep(0.2)
            found = self.clerk.ask("builds", keys)
            return found if all(build["status"] in FINAL for build in found) else None

        return wait_for(all_final, why="every build ends", patience=patience)

    # What must not be left.

    def pids_inside(self) -> list[int]:
        """The processes that run as one of the slots' users."""
        found = []
        for place in Path("/proc").iterdir():
            with contextlib.suppress(OSError):
                if place.name.isdigit() and self.first_uid <= place.stat().st_uid < self.first_uid + UIDS:
                    found.append(int(place.name))
        return found

    def kill(self, pid: int) -> None:
        """Kill a process that may have ended."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)

    def leftovers(self) -> list[Path]:
        """Folders of attempts."""
        return sorted(self.runners.glob("slots/*"))

    def check_nothing_is_left(self) -> None:
        wait_for(lambda: not self.pids_inside(), why="no process of a sandbox is alive", patience=20)
        wait_for(lambda: not self.leftovers(), why="no folder of an attempt is left", patience=20)
        assert not self.clerk.ask("predictions")


def check_logs(world: World, keys: list[int]) -> None:
    """Of each attempt the log is without a gap, from its first chunk on."""
    for key in keys:
        for log in world.clerk.ask("logs", key):
            assert log["numbers"] == list(range(len(log["numbers"])))


def children(pid: int) -> list[int]:
    """The processes that a process has started."""
    places = Path(f"/proc/{pid}/task").iterdir()
    return [int(word) for place in places for word in (place / "children").read_text().split()]
