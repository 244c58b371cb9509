"""How fast the prepared cache is, warm and cold, beside the images themselves and beside copying memory.

Usage: python benchmarks/cache.py [--quick] [--images N] [--repetitions N] [--workers N] [--batch-size N]
"""

import os
import shutil
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
import torch
from measuring import Asked, Machine, Run, asked_for, rate, ratio, table, take_turns, timed
from others import CROP, Task, original
from photographs import describe, linked
from torchvision.transforms import InterpolationMode

from torchbench.images import ImageFiles
from torchbench.loading import LoadingOptions, open_batches
from torchbench.loading.cache import PIECE

NO_TIME = torch.device("meta")  # a device that takes batches and does nothing with them
SETTLED = 4  # batches at both ends of a pass that steady state leaves out
COPIED = 2048  # crops that are copied again and again: 300 MB, far more than a processor's caches hold

ORIGINAL, UNCACHED, WRITING = "the original's loop", "nothing prepared", "first evaluation, writes the cache"
FLOAT, FLOAT_STEADY = "warm, float32, whole pass", "warm, float32, steady state"
LEVELS, LEVELS_STEADY = "warm, uint8 for an accelerator, whole pass", "warm, uint8 for an accelerator, steady state"
VERIFIED, COLD = "warm, float32, first pass of a process", "cold, float32, first pass of a process"
COPY = "copying the uint8 crops in memory"
BESIDE = {
    WRITING: UNCACHED,
    FLOAT: ORIGINAL,
    FLOAT_STEADY: ORIGINAL,
    VERIFIED: ORIGINAL,
    COLD: ORIGINAL,
    UNCACHED: ORIGINAL,
    LEVELS: COPY,
    LEVELS_STEADY: COPY,
}


@dataclass(frozen=True)
class Passes:
    """Passes of torchbench over the same images, with and without a cache; each returns seconds an image."""

    images: Sequence[Path]
    task: Task
    folder: Path

    @property
    def count(self) -> int:
        """Number of images."""
        return len(self.images)

    @property
    def entry(self) -> Path:
        """The one file of the cache."""
        (entry,) = self.folder.glob("*.prepared")
        return entry

    def whole(self, *, device: torch.device | None = None, cached: bool = True) -> float:
        """Opening, every batch, closing."""
        return timed(partial(self._arrivals, device, cached=cached), self.count)()

    def steady(self, device: torch.device | None = None) -> float:
        """From one batch to another in the middle, with as many on their way at both."""
        arrivals = self._arrivals(device)
        first, last = SETTLED - 1, len(arrivals) - 1 - SETTLED
        return (arrivals[last] - arrivals[first]) / ((last - first) * self.task.batch_size)

    def writing(self) -> float:
        """A pass that finds no cache and writes one, beside the one that the others read."""
        elsewhere = replace(self, folder=self.folder.with_name("written"))
        shutil.rmtree(elsewhere.folder, ignore_errors=True)
        seconds = elsewhere.whole()
        shutil.rmtree(elsewhere.folder)
        return seconds

    def verified(self) -> float:
        """A pass that checks every crop's checksum, as the first one of a process does."""
        os.utime(self.entry)  # what was verified before counts only for a file that nobody touched
        return self.whole()

    def cold(self) -> float:
        """The same after the system forgot the file; NaN where it kept it."""
        forget(self.entry)
        before = bytes_from_disk()
        seconds = self.verified()
        return seconds if bytes_from_disk() - before > 0.9 * self.entry.stat().st_size else float("nan")

    def _arrivals(self, device: torch.device | None, *, cached: bool = True) -> list[float]:
        """When each batch of a pass arrived."""
        options = LoadingOptions(
            self.task.batch_size,
            self.task.workers,
            device=device,
            cache=self.folder if cached else None,
            fingerprint="benchmark",
            in_order="benchmark",
        )
        with open_batches(ImageFiles(self.images), self.task.transform, options) as batches:
            return [time.perf_counter() for _ in batches]


def forget(file: Path) -> None:
    """Write a file to its disk and drop it from the page cache."""
    with file.open("rb+") as opened:
        os.fsync(opened.fileno())
        os.posix_fadvise(opened.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def bytes_from_disk() -> int:
    """Bytes that this process had fetched from storage so far."""
    lines = Path("/proc/self/io").read_text(encoding="ascii").splitlines()
    return int(dict(line.split(": ") for line in lines)["read_bytes"])


@contextmanager
def copying(task: Task) -> Iterator[Run]:
    """Copying crops from one place in memory to batches that are used again, in pieces, by as many threads."""
    crop = CROP * CROP * 3
    source = np.random.default_rng(seed=0).integers(0, 256, (COPIED, crop), np.uint8)
    batches = np.zeros((4 * task.batch_size, crop), np.uint8)
    piece = PIECE // crop

    def copy(first: int) -> None:
        place = first % (len(batches) - piece)
        batches[place : place + piece] = source[first : first + piece]

    with ThreadPoolExecutor(max(1, task.workers)) as pool:
        whole_pieces = range(0, COPIED - piece + 1, piece)
        yield timed(lambda: list(pool.map(copy, whole_pieces)), len(whole_pieces) * piece)


def runs_of(passes: Passes, sample: Task, copy: Run) -> dict[str, Run]:
    """Every row's run; the original's loop has a smaller sample, for it is slow."""

    def by_original() -> None:
        for _ in original(sample):
            pass

    return {
        ORIGINAL: timed(by_original, len(sample.files)),
        UNCACHED: partial(passes.whole, cached=False),
        WRITING: passes.writing,
        FLOAT: passes.whole,
        FLOAT_STEADY: passes.steady,
        VERIFIED: passes.verified,
        COLD: passes.cold,
        LEVELS: partial(passes.whole, device=NO_TIME),
        LEVELS_STEADY: partial(passes.steady, NO_TIME),
        COPY: copy,
    }


def rows_of(measured: dict[str, list[float]]) -> list[list[str]]:
    """A row for each run."""
    rows = []
    for name, seconds in measured.items():
        beside = BESIDE.get(name)
        if any(np.isnan(seconds)):
            rows.append([name, "the system kept the file", "", ""])
        elif beside is None:
            rows.append([name, rate(seconds), "", ""])
        else:
            rows.append([name, rate(seconds), ratio(measured[beside], seconds), beside])
    return rows


def measure(asked: Asked) -> str:
    """The page with the table."""
    machine = Machine(asked.load_before)
    few = max(1, asked.images // 4 // asked.batch_size) * asked.batch_size
    with linked(asked.images) as root, linked(few) as small:
        task = Task(root, InterpolationMode.BILINEAR, asked.workers, asked.batch_size)
        passes = Passes(task.files, task, root / "prepared")
        passes.whole()
        size = passes.entry.stat().st_size
        with copying(task) as copy:
            measured = take_turns(runs_of(passes, replace(task, root=small), copy), asked.repetitions)
    notes = (
        f"{describe(asked.images)}; {few:,} of them for the original's loop. Resize(256) bilinear, CenterCrop(224), "
        f"Normalize; {asked.workers} workers; batches of {asked.batch_size}; the prepared file has {size / 1e6:,.0f} "
        f"MB. Median of {asked.repetitions} interleaved turns; ratios are of the same turn, with the smallest and the "
        f"largest. *Whole pass*: opening, every batch, closing. *Steady state*: without the first and the last "
        f"{SETTLED} batches. *First pass of a process*: every crop's checksum is verified, which later passes spare. "
        "*Cold*: the file was dropped from the page cache before."
    )
    header = ["pass", "images/s", "times", "beside"]
    return machine.page("The prepared cache", table(header, rows_of(measured)), notes)


if __name__ == "__main__":
    print(measure(asked_for(__doc__, images=(8192, 2048), repetitions=7)))
