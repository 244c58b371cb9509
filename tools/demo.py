"""The whole house at work: real models evaluated on photographs, submitted to a site, pushed, built and verified there.

Usage: demo.py PHOTOGRAPHS [--folder FOLDER] [--keep]

Started by a person, the site runs until Ctrl-C; otherwise the demo ends when every printed page has answered.
"""

import argparse
import contextlib
import fcntl
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from demo_host import make_host, push, tell_of_pushes
from demo_site import OWNER, Site, answer_status, environment, program, serving

from benchrecord import read_records

ROOT = Path(__file__).resolve().parent.parent
NAME = "demo/efficientnet_lite"
REPOSITORY = f"localhost/{NAME}"
"""The example's name on the site, where it is a repository of this machine."""

NO_SANDBOX = "no sandbox on this machine, so the push is not built: apt-get install bubblewrap, then `sotabench doctor`"


def main() -> int:
    """The whole demo; the exit code says whether all of it went well."""
    asked = _arguments()
    folder, keep = asked.folder.resolve(), asked.keep or (sys.stdin is not None and sys.stdin.isatty())
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda number, _frame: sys.exit(128 + number))
    try:
        with _alone_in(folder):
            checkout, records = make_checkout(folder), folder / "results.json"
            if code := evaluate(checkout, asked.photographs.resolve(), records):
                return code
            print("\nstarting a site ...", flush=True)
            with serving(folder) as site:
                submitted = submit(site, checkout, records)
                built = build(site, checkout, folder, asked.photographs.resolve())
                show(site, built or submitted)
                if keep:
                    _until_ctrl_c()
                else:
                    print("\nEach has answered. Nobody sits at a terminal here, so the site ends now; --keep keeps it.")
    except KeyboardInterrupt:
        print("\nstopped; nothing is left running")
        return 130
    return 0


def make_checkout(folder: Path) -> Path:
    """The example as its owner would have it: a git repository with one commit."""
    checkout = folder / "efficientnet_lite"
    shutil.rmtree(checkout, ignore_errors=True)
    shutil.copytree(ROOT / "examples" / "efficientnet_lite", checkout, ignore=shutil.ignore_patterns("__pycache__"))
    git = ["git", "-c", "user.name=Demo", "-c", "user.email=demo@git.example", "-c", "commit.gpgsign=false"]
    for command in (
        ["init", "--quiet", "--initial-branch", "main"],
        ["add", "."],
        ["commit", "--quiet", "--no-verify", "-m", "Evaluate"],
    ):
        subprocess.run([*git, *command], cwd=checkout, check=True)
    return checkout


def evaluate(checkout: Path, photographs: Path, records: Path) -> int:
    """Run the repository's sotabench.py on the photographs; its exit code."""
    records.unlink(missing_ok=True)
    settings = {
        "SOTABENCH_DATA_ROOT": os.path.relpath(photographs, checkout),
        "SOTABENCH_STORE_FILENAME": os.path.relpath(records, checkout),
    }
    _say(checkout, settings, "python sotabench.py")
    command = [sys.executable, "sotabench.py"]
    code = subprocess.run(command, cwd=checkout, env=environment(settings), check=False).returncode
    if code == 0:
        print(f"\n{len(read_records(records))} records in {_short(records)}, each with its predictions beside it")
    return code


def submit(site: Site, checkout: Path, records: Path) -> list[int]:
    """Send the records by `sb submit`, as the repository's owner would; the numbers of the results."""
    arguments = ["submit", "--repository", REPOSITORY, os.path.relpath(records, checkout)]
    _say(checkout, {"SOTABENCH_URL": site.url, "SOTABENCH_TOKEN": "..."}, " ".join(["sb", *arguments]))
    settings = {"SOTABENCH_URL": site.url, "SOTABENCH_TOKEN": site.token()}
    command = [program("sb"), "--json", *arguments]
    done = subprocess.run(command, cwd=checkout, env=environment(settings), stdout=subprocess.PIPE, check=True)
    return list(json.loads(done.stdout)["results"])


def build(site: Site, checkout: Path, folder: Path, photographs: Path) -> list[int]:
    """Connect the repository, push it, follow its build; the numbers of the results, none without a sandbox."""
    if not has_sandbox():
        print(f"\n{NO_SANDBOX}")
        return []
    _sotabench(site, "datasets", "add", "imagenet", "--path", str(photographs / "val"))
    bare, token = make_host(folder), site.token()
    _sotabench(site, "repositories", "add", bare.as_uri(), "--name", NAME)
    (repository,) = site.ask(f"v1/repositories?name={REPOSITORY}")["items"]
    webhook = site.ask(f"v1/repositories/{repository['id']}/webhook", {}, token=token)
    tell_of_pushes(bare, NAME, address=webhook["address"], secret=webhook["secret"])
    _say(checkout, {}, f"git push {_short(bare)} HEAD:main")
    push(checkout, bare)
    number = site.ask(f"v1/repositories/{repository['id']}/builds")["items"][0]["number"]
    follow = ["build", "log", "--follow", REPOSITORY, str(number)]
    settings = {"SOTABENCH_URL": site.url, "SOTABENCH_TOKEN": token}
    _say(checkout, {"SOTABENCH_URL": site.url}, " ".join(["sb", *follow]))
    subprocess.run([program("sb"), *follow], env=environment(settings), check=True)
    found = site.ask(f"v1/repositories/{repository['id']}/builds/{number}/results")["items"]
    if not found:
        sys.exit("expected the build to bring results, found none; its log above says why")
    return sorted(one["id"] for one in found)


def has_sandbox() -> bool:
    """Whether strangers' code can be held on this machine; bubblewrap is installed where that is allowed."""
    if shutil.which("bwrap") is None and os.geteuid() == 0 and shutil.which("apt-get"):
        print("\ninstalling bubblewrap ...", flush=True)
        for command in (["apt-get", "update", "-qq"], ["apt-get", "install", "-y", "-qq", "bubblewrap"]):
            subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)
    return shutil.which("bwrap") is not None


def show(site: Site, results: list[int]) -> None:
    """Print the addresses to open, each of which has answered. Exits when one does not."""
    found = [site.ask(f"v1/results/{number}") for number in results]
    pages = {
        "the front page": "/",
        **{f"the benchmark {one['benchmark']}": f"/benchmarks/{one['benchmark']}" for one in found},
        "the repository": f"/user/{OWNER}/repos/{REPOSITORY}",
        **{one["model_name"]: f"/results/{one['id']}" for one in found},
        f"sign in as {OWNER}, password {site.password}": "/accounts/login/",
    }
    print("\nThe site is up; open")
    for name, path in pages.items():
        if (status := answer_status(site.url + path)) != 200:
            sys.exit(f"expected {site.url + path} to answer 200, found {status}; its log is beside its folder")
        print(f"  {site.url + path:<90} {name}")


@contextlib.contextmanager
def _alone_in(folder: Path) -> Iterator[None]:
    """Nobody else's demo runs in this folder meanwhile. Exits when one does; the lock ends with the process."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / ".lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            sys.exit(f"expected no other demo in {_short(folder)}, found one that runs; stop it, or choose --folder")
        yield


def _until_ctrl_c() -> None:
    print("\nCtrl-C stops the site.", flush=True)
    with contextlib.suppress(KeyboardInterrupt):
        signal.pause()
    print("\nstopped; nothing is left running")


def _sotabench(site: Site, *arguments: str) -> None:
    """A command of whoever runs the site."""
    command, *rest = arguments
    print("$ sotabench", " ".join(arguments), flush=True)
    data = ["--data", str(site.data)]
    subprocess.run([program("sotabench"), command, *data, *rest], env=environment({}), check=True)


def _say(checkout: Path, settings: dict[str, str], command: str) -> None:
    """The line that a person would type."""
    print(f"$ cd {_short(checkout)} && " + " ".join(f"{k}={v}" for k, v in settings.items()), command, flush=True)


def _short(path: Path) -> str:
    return os.path.relpath(path) if path.is_relative_to(Path.cwd()) else str(path)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("photographs", type=Path, help="images as val/<wnid>/<name>")
    parser.add_argument("--folder", type=Path, default=ROOT / "build" / "demo", help="where all of it is kept")
    parser.add_argument("--keep", action="store_true", help="keep the site until Ctrl-C, also without a terminal")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
