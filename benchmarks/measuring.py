"""Side by side in one run: turns that alternate, ratios of pairs, and the machine that the figures belong to.

`python benchmarks/<question>.py` prints a Markdown table; `--quick` measures little, to see that it works.
"""

import argparse
import os
import platform
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import torch

from torchbench.environment import processor_name

Run = Callable[[], float]
"""Does the work once; returns the seconds that count, for each image where images are counted."""

QUIET_LOAD = 0.5
QUIET_SHARE = 0.05
PACKAGES = ("torch", "torchvision", "numpy", "pillow", "simplejpeg", "timm", "nvidia-dali-cuda120")


@dataclass(frozen=True)
class Asked:
    """What the command line asks for."""

    images: int
    repetitions: int
    workers: int
    batch_size: int
    quick: bool
    load_before: float


def asked_for(what: str, images: tuple[int, int], repetitions: int, *, in_batches: bool = True) -> Asked:
    """The command line's wishes; `images` are the usual number and the one of --quick.

    Some loaders cannot give a part of a batch: `in_batches`, they are as many whole ones.
    """
    parser = argparse.ArgumentParser(description=what)
    parser.add_argument("--quick", action="store_true", help="measure little: shows that it works, not how fast it is")
    parser.add_argument("--images", type=int, help=f"number of images ({images[0]:,}; quick: {images[1]:,})")
    parser.add_argument("--repetitions", type=int, help=f"turns of each ({repetitions}; quick: 2)")
    parser.add_argument("--workers", type=int, default=2, help="threads or processes that load, on every side (2)")
    parser.add_argument("--batch-size", type=int, default=128, help="images in a batch, on every side (128)")
    parser.add_argument("--load-before", type=float, default=load_average(), help="of a caller who loads the machine")
    found = parser.parse_args()
    wanted = found.images or images[found.quick]
    count = max(1, wanted // found.batch_size) * found.batch_size if in_batches else wanted
    turns = found.repetitions or (2 if found.quick else repetitions)
    return Asked(count, turns, found.workers, found.batch_size, found.quick, found.load_before)


def take_turns(runs: Mapping[str, Run], repetitions: int) -> dict[str, list[float]]:
    """What each run returned in each repetition, after one that does not count; every second one in reverse order."""
    for run in runs.values():
        run()
    measured: dict[str, list[float]] = {name: [] for name in runs}
    for repetition in range(repetitions):
        names = list(runs)[:: -1 if repetition % 2 else 1]
        for name in names:
            measured[name].append(runs[name]())
    return measured


def timed(work: Callable[[], object], count: int = 1) -> Run:
    """A run of `work`, its seconds divided by `count`."""

    def run() -> float:
        start = time.perf_counter()
        work()
        return (time.perf_counter() - start) / count

    return run


def ratio(above: Sequence[float], below: Sequence[float]) -> str:
    """The median of the ratios of pairs measured in the same turn, with the smallest and the largest one."""
    pairs = [one / other for one, other in zip(above, below, strict=True)]
    return f"{_short(statistics.median(pairs))} ({_short(min(pairs))} to {_short(max(pairs))})"


def rate(seconds: Sequence[float]) -> str:
    """The median rate, for a person."""
    return f"{1 / statistics.median(seconds):,.0f}"


def _short(number: float) -> str:
    return f"{number:.1f}" if number >= 10 else f"{number:.2f}"


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table; the first column is text, the others are figures."""
    rule = ["---", *["---:"] * (len(header) - 1)]
    return "\n".join(f"| {' | '.join(row)} |" for row in (header, rule, *rows))


class Machine:
    """The machine while something is measured on it; what others did meanwhile makes a warning."""

    def __init__(self, load_before: float, packages: Sequence[str] = PACKAGES) -> None:
        self._load, self._packages = load_before, packages
        self._cores = os.cpu_count() or 1
        self._start = time.perf_counter()
        self._busy, self._own = _busy_seconds(), _own_seconds()

    def add_own(self, seconds: float) -> None:
        """Count processor time as ours that a process took which is no child of this one."""
        self._own -= seconds

    def page(self, title: str, figures: str, notes: str) -> str:
        """The table with its title, the machine, a warning where one is due, and what the rows mean."""
        warning = self._warning()
        parts = [f"**{title}**", *([warning] if warning else []), figures, notes, f"*Measured on* {self._describe()}."]
        return "\n\n".join(parts)

    def _describe(self) -> str:
        versions = [f"{name} {found}" for name in self._packages if (found := _version(name))]
        return (
            f"{processor_name() or platform.machine()}, {self._cores} cores, {platform.system()}; "
            f"Python {platform.python_version()}, {', '.join(versions)}; load average before the run {self._load:.2f}, "
            f"other processes took {self._share_of_others():.0%} of the processor meanwhile"
        )

    def _warning(self) -> str:
        quiet = self._load <= QUIET_LOAD * self._cores and self._share_of_others() <= QUIET_SHARE
        return "" if quiet else "**The machine was not quiet: these figures are not to be relied on.**"

    def _share_of_others(self) -> float:
        """Processor time that was neither idle nor ours, as a share of all there was; 0 where nobody can tell."""
        there_was = (time.perf_counter() - self._start) * self._cores
        others = _busy_seconds() - self._busy - (_own_seconds() - self._own)
        return max(0.0, others / there_was)


def load_average() -> float:
    """The number of runnable processes over the last minute; 0 where the system does not say."""
    return os.getloadavg()[0] if hasattr(os, "getloadavg") else 0.0


def processor_seconds(roots: tuple[int, ...]) -> float:
    """Processor time of these processes and of all that come from them, whether they still run or not."""
    stats = {int(path.name): process_stat(int(path.name)) for path in Path("/proc").iterdir() if path.name.isdigit()}
    wanted, found = set(roots), 0.0
    while more := {pid for pid, stat in stats.items() if stat and int(stat[1]) in wanted} - wanted:
        wanted |= more
    for pid in wanted:
        found += sum(map(int, stats[pid][11:15])) / _ticks() if stats.get(pid) else 0
    return found


def process_stat(pid: int) -> list[str]:
    """What Linux says of a process, from its state on; nothing when it has just ended."""
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    except OSError:
        return []


def _busy_seconds() -> float:
    """Processor time since the machine started that was not idle, with what a hypervisor took away; 0 if unknown."""
    stat = Path("/proc/stat")
    if not stat.exists():
        return 0.0
    user, nice, system, _idle, _waiting, interrupts, soft_interrupts, stolen = map(
        int, stat.read_text(encoding="ascii").split("\n", 1)[0].split()[1:9]
    )
    return (user + nice + system + interrupts + soft_interrupts + stolen) / _ticks()


def _own_seconds() -> float:
    """Processor time of this process and of those it started that have ended."""
    return sum(os.times()[:4])


def _ticks() -> int:
    return os.sysconf("SC_CLK_TCK")


def _version(package: str) -> str | None:
    if package == "torch":
        return str(torch.__version__)  # with the build, which its metadata leaves out
    try:
        return version(package)
    except PackageNotFoundError:
        return None
