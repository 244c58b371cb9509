"""Whether peak memory grows with the number of images: each figure comes from a process of its own.

Usage: python benchmarks/memory.py [--quick] [--images N] [--repetitions N] [--workers N] [--batch-size N]
"""

import resource
import sys
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

from evaluation import Evaluated, FreeModel, remembering_in
from measuring import Asked, Machine, asked_for, table
from others import Task
from photographs import describe, linked
from torchvision.transforms import InterpolationMode

from torchbench.image_classification import ImageNet

PARTS = (1, 10, 50)  # fiftieths of the largest set


def imported(_task: Task) -> int:
    """Peak memory of a process that imported everything and did nothing."""
    return peak_bytes()


def loaded(task: Task) -> int:
    """Peak memory of one pass of the loader over all images."""
    Evaluated(task, ImageNet.input_transform).loading()
    return peak_bytes()


def evaluated(task: Task) -> int:
    """Peak memory of a whole evaluation whose model costs nothing."""
    with remembering_in(task.root / "memory"):
        Evaluated(task, ImageNet.input_transform).by_torchbench(FreeModel(task))
    return peak_bytes()


def peak_bytes() -> int:
    """The most memory that this process had so far; on Linux since it began, not since its parent did."""
    status = Path("/proc/self/status")
    if status.exists():
        line = next(line for line in status.read_text(encoding="utf-8").splitlines() if line.startswith("VmHWM"))
        return int(line.split()[1]) * 1024
    usage = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return usage if sys.platform == "darwin" else usage * 1024


def megabytes(work: Callable[[Task], int], task: Task) -> str:
    """Peak memory of `work` in a fresh process."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as process:
        return f"{process.submit(work, task).result() / 1e6:,.0f} MB"


def row(count: int, asked: Asked) -> list[str]:
    """The figures for one number of images."""
    with linked(count) as root:
        task = Task(root, InterpolationMode.BILINEAR, asked.workers, asked.batch_size)
        return [f"{count:,}", *(megabytes(work, task) for work in (imported, loaded, evaluated))]


def measure(asked: Asked) -> str:
    """The page with the table."""
    machine = Machine(asked.load_before)
    rows = [row(asked.images * part // PARTS[-1], asked) for part in PARTS]
    notes = (
        f"{describe(asked.images)} in the last row, fewer above. Resize(256) bilinear, CenterCrop(224), Normalize; "
        f"{asked.workers} workers; batches of {asked.batch_size} images, which take "
        f"{asked.batch_size * 3 * 224 * 224 * 4 / 1e6:,.0f} MB each as float32. Peak of the resident memory of a "
        "process of its own for each figure."
    )
    header = ["images", "after the imports", "one pass of the loader", "whole evaluation, a model that costs nothing"]
    return machine.page("Peak memory", table(header, rows), notes)


if __name__ == "__main__":
    print(measure(asked_for(__doc__, images=(50_000, 6_400), repetitions=1)))
