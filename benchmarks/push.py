"""From a push to the first line of sotabench.py, and from its last one to the page; beside a shell that does the same.

Usage: python benchmarks/push.py [--quick] [--images N] [--repetitions N] [--load-before N]

A site of its own with one runner, a repository of this machine whose hook tells the site of each push. Every push is a
new commit with unchanged requirements: environment and weights are there already. --images is not used.
"""

import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from measuring import Machine, asked_for, processor_seconds, table

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "tools"))

from demo_host import make_host, push, tell_of_pushes  # noqa: E402 - its folder is put on the path first
from demo_site import Site, environment, program, serving  # noqa: E402

NAME = "bench/pushed"
EVALUATION = '''import time; print(f"first {{time.time():.3f}}", flush=True)
import os
# push {number}
import torch
from torchbench.image_classification import ImageNet


class Pixel(torch.nn.Module):
    """As little as a model can be: an image's mean chooses the class."""

    def __init__(self):
        super().__init__()
        self.bias = torch.nn.Parameter(torch.linspace(-1, 1, 1000))

    def forward(self, images):
        return -(images.mean((1, 2, 3))[:, None] - self.bias) ** 2


ImageNet.benchmark(model=Pixel(), paper_model_name="Pixel")
import atexit
atexit.register(lambda: print(f"last {{time.time():.3f}}", flush=True))
'''
_LIMIT, _LOOK_EVERY = 600, 0.1  # the API answers a user twenty times a second at most


@dataclass(frozen=True)
class Pushed:
    """Seconds of one push."""

    to_first_line: float
    to_page: float

    @property
    def together(self) -> float:
        """All that the platform takes of a push."""
        return self.to_first_line + self.to_page


def main() -> int:
    """Print the table."""
    asked = asked_for(__doc__ or "", (0, 0), 12)
    machine = Machine(asked.load_before, packages=("Django", "gunicorn", "uv", "torch"))
    with tempfile.TemporaryDirectory() as folder:
        pushes = measure(Path(folder), asked.repetitions, machine)
        by_hand = [plain_run(Path(folder)) for _ in range(asked.repetitions)]
    rows = [
        ["push to the first line of sotabench.py", *cells([one.to_first_line for one in pushes])],
        ["its end to the result on its page", *cells([one.to_page for one in pushes])],
        ["both together", *cells([one.together for one in pushes])],
        ["by hand, git clone to the first line", *cells(by_hand)],
    ]
    notes = f"Seconds of {len(pushes)} pushes of new commits, requirements unchanged; the evaluation is not counted."
    print(machine.page("A push", table(["", "median", "lowest", "highest"], rows), notes))
    return 0


def cells(seconds: list[float]) -> list[str]:
    """Median, lowest and highest."""
    return [f"{figure:.2f}" for figure in (statistics.median(seconds), min(seconds), max(seconds))]


def measure(folder: Path, repetitions: int, machine: Machine) -> list[Pushed]:
    """The pushes, after one that makes environment and caches."""
    photographs = Path(os.environ.get("TORCHBENCH_BENCH_PHOTOGRAPHS") or HERE.parent / "build" / "photographs")
    checkout = folder / "checkout"
    checkout.mkdir()
    subprocess.run(["git", "init", "--quiet", "--initial-branch", "main"], cwd=checkout, check=True)
    (checkout / "requirements.txt").write_text("torchbench\n")
    bare = make_host(folder)
    with serving(folder) as site:
        operate(site, "datasets", "add", "imagenet", "--path", str(photographs / "val"))
        operate(site, "repositories", "add", bare.as_uri(), "--name", NAME)
        token = site.token()
        (repository,) = site.ask(f"v1/repositories?name=localhost/{NAME}")["items"]
        webhook = site.ask(f"v1/repositories/{repository['id']}/webhook", {}, token=token)
        tell_of_pushes(bare, NAME, address=webhook["address"], secret=webhook["secret"])
        folders = checkout, bare
        pushes = [one_push(site, token, repository["id"], folders, number) for number in range(repetitions + 1)][1:]
        took = processor_seconds((os.getpid(),))
    machine.add_own(took - sum(os.times()[:4]))  # of the runner, which the site does not wait for
    return pushes


def one_push(site: Site, token: str, repository: int, folders: tuple[Path, Path], number: int) -> Pushed:
    """Commit, push, wait for the page."""
    checkout, bare = folders
    (checkout / "sotabench.py").write_text(EVALUATION.format(number=number))
    git = ["git", "-c", "user.name=Bench", "-c", "user.email=bench@localhost", "-c", "commit.gpgsign=false"]
    for command in (["add", "."], ["commit", "--quiet", "--no-verify", "-m", f"Push {number}"]):
        subprocess.run([*git, *command], cwd=checkout, check=True)
    began = time.time()
    push(checkout, bare)
    build = site.ask(f"v1/repositories/{repository}/builds", token=token)["items"][0]["number"]
    address = f"v1/repositories/{repository}/builds/{build}"
    until = time.monotonic() + _LIMIT
    while (status := site.ask(address, token=token)["status"]) not in {"finished", "failed", "broken"}:
        if time.monotonic() > until:
            sys.exit(f"expected the build to end within {_LIMIT} s, found it {status}")
        time.sleep(_LOOK_EVERY)
    results = site.ask(f"{address}/results", token=token)["items"]
    ended, log = time.time(), site.ask(f"{address}/log", token=token)["text"]
    if status != "finished" or not results:
        sys.exit(f"expected a finished build with a result, found it {status}:\n{log[-3000:]}")
    # The file runs once for its weights where they may have changed; what counts is the run that evaluates.
    first, last = (float(re.findall(rf"^{word} ([\d.]+)$", log, re.MULTILINE)[-1]) for word in ("first", "last"))
    return Pushed(first - began, ended - last)


def plain_run(folder: Path) -> float:
    """Seconds that a shell takes for the same: clone, start Python; the environment is there."""
    target = folder / "by-hand"
    shutil.rmtree(target, ignore_errors=True)
    began = time.time()
    subprocess.run(["git", "clone", "--quiet", str(folder / "efficientnet_lite.git"), str(target)], check=True)
    settings = {"SOTABENCH_CHECK": "params"}
    command = [sys.executable, "sotabench.py"]
    done = subprocess.run(
        command, cwd=target, env=environment(settings), stdout=subprocess.PIPE, encoding="utf-8", check=True
    )
    return float(re.findall(r"^first ([\d.]+)$", done.stdout, re.MULTILINE)[-1]) - began


def operate(site: Site, command: str, *rest: str) -> None:
    """A command of whoever runs the site."""
    line: list[str] = [program("sotabench"), command, "--data", str(site.data), *rest]
    subprocess.run(line, env=environment({}), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=True)


if __name__ == "__main__":
    sys.exit(main())
