"""The loop: batches in, predictions out."""

import hashlib
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, fields, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray

from benchrecord import Predictions, PredictionsBuilder

Predict = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]
Keep = Callable[[NDArray[Any]], None]
Kept = tuple[int, ...] | None
"""The outputs that are ranked; None: all of them."""


class Progress(Protocol):
    """What a person sees while the loop runs."""

    def advance(self, samples: int, best_classes: NDArray[np.int16]) -> None:
        """Told after each batch: how many images it had and each one's best classes, best first."""


@dataclass(frozen=True)
class Exam:
    """The questions of a test set, in the order in which the batches come: no images, no answers.

    `targets` are what the model's hooks are told; the scoring does not use them. `rankings` say which outputs are
    ranked, once each; the first is the benchmark's own.
    """

    ids: Sequence[str]
    targets: torch.Tensor
    classes: int
    rankings: tuple[Kept, ...] = (None,)

    def share(self, chosen: slice) -> "Exam":
        """Some of the questions."""
        return replace(self, ids=self.ids[chosen], targets=self.targets[chosen])


@dataclass(frozen=True)
class Seconds:
    """Wall-clock seconds in each part of the loop."""

    loading: float = 0.0
    model: float = 0.0
    scoring: float = 0.0

    @property
    def total(self) -> float:
        """All of it."""
        return self.loading + self.model + self.scoring


@dataclass(frozen=True)
class KeptOutputs:
    """The file of all outputs of a pass, which waits for its name."""

    path: Path
    size: int
    sha256: str


@dataclass(frozen=True)
class Evaluation:
    """What came out of one pass over a test set, or over a share of it; `outputs` only where they were asked for.

    `collected` has an entry for each of the exam's rankings, in their order.
    """

    collected: Mapping[Kept, PredictionsBuilder]
    seconds: Seconds
    run_hash: str
    outputs: KeptOutputs | None = None

    @cached_property
    def rankings(self) -> Mapping[Kept, Predictions]:
        """What the model predicted by each ranking, in the order of the exam."""
        return {kept: builder.finish() for kept, builder in self.collected.items()}

    @property
    def predictions(self) -> Predictions:
        """What the model predicted by the benchmark's own ranking."""
        return next(iter(self.rankings.values()))


def joined(shares: Sequence[Evaluation]) -> Evaluation:
    """One evaluation out of those of several shares, in their order; time is the slowest share's.

    The run hash is the first share's, so it depends on how many shares there were.
    """
    first = shares[0]
    collected = {
        kept: PredictionsBuilder(builder.number_of_classes, kept=kept) for kept, builder in first.collected.items()
    }
    for share in shares:
        for kept, builder in share.collected.items():
            collected[kept].extend(builder)
    seconds = (max(getattr(share.seconds, part.name) for share in shares) for part in fields(Seconds))
    return Evaluation(collected, Seconds(*seconds), first.run_hash)


@dataclass
class _Stopwatch:
    spent: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def measure(self, part: str) -> Iterator[None]:
        start = time.perf_counter()
        try:
            yield
        finally:
            self.spent[part] = self.spent.get(part, 0.0) + time.perf_counter() - start

    def waiting(self, part: str, batches: Iterable[torch.Tensor]) -> Iterator[torch.Tensor]:
        iterator = iter(batches)
        while True:
            with self.measure(part):
                batch = next(iterator, None)
            if batch is None:
                return
            yield batch


def evaluate(
    predict: Predict, batches: Iterable[torch.Tensor], exam: Exam, progress: Progress, keep: Keep | None = None
) -> Evaluation:
    """Ask the model about every image once and keep its predictions.

    `batches` are `(B, ...)` in the order of `exam.ids` and may stop early; nothing is scored here. `keep` is given all
    outputs `(B, classes)` of each batch.
    """
    builders = {kept: PredictionsBuilder(exam.classes, kept=kept) for kept in exam.rankings}
    watch = _Stopwatch()
    position, run_hash = 0, ""
    for images in watch.waiting("loading", batches):
        chosen = slice(position, position + len(images))
        with watch.measure("model"):
            outputs = predict(images, exam.targets[chosen])
        with watch.measure("scoring"):
            values = as_numpy(outputs)
            best, *_ = [builder.add(exam.ids[chosen], values) for builder in builders.values()]
            if keep is not None:
                keep(values)
        run_hash = run_hash or first_batch_hash(values)
        position = chosen.stop
        progress.advance(len(images), best)
    return Evaluation(builders, Seconds(**watch.spent), run_hash)


def as_numpy(outputs: torch.Tensor) -> NDArray[np.generic]:
    """The same values as an array; bfloat16, which numpy lacks, is widened to float32, which holds it exactly."""
    if outputs.dtype == torch.bfloat16:
        outputs = outputs.float()
    if outputs.dtype == torch.bool:
        outputs = outputs.to(torch.uint8)
    return outputs.numpy()


def first_batch_hash(outputs: NDArray[np.generic]) -> str:
    """SHA-256 over the first batch's outputs, rounded to three decimals: tells runs apart, proves nothing."""
    rounded = np.round(outputs.astype(np.float64), 3) + 0.0  # + 0.0 turns -0.0 into 0.0
    return hashlib.sha256(repr(rounded.shape).encode() + rounded.tobytes()).hexdigest()
