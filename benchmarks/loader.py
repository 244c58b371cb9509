"""How many images a second each loader turns into float32 batches, and whether they are the right ones.

Usage: python benchmarks/loader.py [--quick] [--images N] [--repetitions N] [--workers N] [--batch-size N]
"""

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

import torch
from measuring import Asked, Machine, Run, asked_for, rate, ratio, table, take_turns, timed
from others import (
    NOT_INSTALLED,
    STD,
    Loader,
    Task,
    dali_loader,
    decode_all,
    decoded_by_libjpeg_turbo,
    decoded_by_torchbench,
    original,
    tensors,
    timm_loader,
)
from photographs import describe, linked, number_of_photographs
from torchvision.transforms import InterpolationMode

from torchbench.images import ImageFiles
from torchbench.loading import LoadingOptions, open_batches

ORIGINAL, OURS, LEVELS = "the original's loop", "torchbench, float32", "torchbench, uint8 for an accelerator"
TURBO, WHOLE = "decoding alone, libjpeg-turbo", "decoding alone, torchbench"
NO_TIME = torch.device("meta")  # a device that takes batches and does nothing with them
FILTERS = (InterpolationMode.BILINEAR, InterpolationMode.BICUBIC)


def ours(task: Task, device: torch.device | None = None) -> Iterator[torch.Tensor]:
    """Batches by torchbench; for a device they are made of uint8, and the device makes them float32."""
    options = LoadingOptions(task.batch_size, task.workers, device=device)
    with open_batches(ImageFiles(task.files), task.transform, options) as batches:
        if batches.plan.name != "fast":
            raise SystemExit(f"expected the fast plan: {batches.plan.reason}")
        yield from batches


def loaders() -> dict[str, Loader | None]:
    """Every loader by name; None for one that is not installed."""
    return {
        ORIGINAL: original,
        "torchvision v2 on tensors": tensors,
        "timm": timm_loader(),
        "NVIDIA DALI on the processor": dali_loader(),
        OURS: ours,
        LEVELS: partial(ours, device=NO_TIME),
    }


def drain(batches: Callable[[], Iterator[torch.Tensor]]) -> None:
    """Take every batch and drop it."""
    for _ in batches():
        pass


def runs_of(task: Task, count: int) -> dict[str, Run]:
    """One run a loader that is there, and of decoding alone; seconds an image."""
    work = {name: partial(drain, partial(load, task)) for name, load in loaders().items() if load}
    alone = {TURBO: decoded_by_libjpeg_turbo, WHOLE: decoded_by_torchbench}
    work |= {name: partial(decode_all, task, decode) for name, decode in alone.items()}
    return {name: timed(each, count) for name, each in work.items()}


def difference(task: Task, load: Loader) -> str:
    """How many images of the folder come out differently than from the original's loop, and by how many levels."""
    levels = 255 * torch.tensor(STD).view(3, 1, 1)
    different, largest = 0, 0.0
    for expected, found in zip(original(task), load(task), strict=True):
        apart = ((found - expected).abs() * levels).amax(dim=(1, 2, 3))
        different += int((apart > 0).sum())
        largest = max(largest, float(apart.max()))
    return f"{different}, up to {largest:.2g} levels" if different else "0"


def differences(asked: Asked, interpolation: InterpolationMode) -> dict[str, str]:
    """The difference of every loader over each photograph once; uint8 is what the values are looked up by."""
    with linked(number_of_photographs()) as root:
        task = Task(root, interpolation, asked.workers, batch_size=min(10, asked.batch_size))
        compared = {name: load for name, load in loaders().items() if load and name not in {ORIGINAL, LEVELS}}
        return {name: difference(task, load) for name, load in compared.items()}


def rows_of(task: Task, asked: Asked) -> list[list[str]]:
    """The rows of one filter."""
    measured = take_turns(runs_of(task, asked.images), asked.repetitions)
    different = differences(asked, task.interpolation)
    rows = []
    for name in [*loaders(), TURBO, WHOLE]:
        seconds = measured.get(name)
        if seconds is None:
            rows.append([name, task.interpolation.value, NOT_INSTALLED, "", "", ""])
            continue
        times_as_fast, share = ratio(measured[ORIGINAL], seconds), ratio(seconds, measured[TURBO])
        rows.append([name, task.interpolation.value, rate(seconds), times_as_fast, share, different.get(name, "")])
    return rows


def measure(asked: Asked) -> str:
    """The page with the table."""
    machine = Machine(asked.load_before)
    with linked(asked.images) as root:
        task = Task(Path(root), FILTERS[0], asked.workers, asked.batch_size)
        rows = [row for each in FILTERS for row in rows_of(replace(task, interpolation=each), asked)]
    header = ["loader", "filter", "images/s", f"times {ORIGINAL}", "time beside decoding", "different images"]
    notes = (
        f"{describe(asked.images)}. Resize(256), CenterCrop(224), Normalize; {asked.workers} workers (threads for "
        f"torchbench, DALI and decoding, processes for the others); batches of {asked.batch_size}. Median of "
        f"{asked.repetitions} interleaved turns; ratios are of the same turn, with the smallest and the largest. "
        f"*Time beside decoding*: divided by that of {TURBO}, by as many threads. *Different images*: of the "
        f"{number_of_photographs()} photographs, those with a value that is not the original loop's."
    )
    return machine.page("Loading, nothing prepared", table(header, rows), notes)


if __name__ == "__main__":
    print(measure(asked_for(__doc__, images=(2048, 256), repetitions=7)))
