"""Batches made by the user's own transform, in worker processes: right for every transform, fast for none."""

import math
import multiprocessing
import pickle
import signal
import sys
import traceback
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, replace
from types import TracebackType
from typing import Any, Self

import PIL
import torch
from PIL import Image
from torch.utils.data import DataLoader, Dataset

from torchbench.errors import ArgumentError, TorchbenchError
from torchbench.loading.options import LoadingOptions
from torchbench.loading.plan import Plan
from torchbench.loading.steps import Transform, as_callable


def processes_are_safe() -> bool:
    """Whether workers can be forked: a script without a `__main__` guard cannot be started a second time."""
    return sys.platform == "linux" and "fork" in multiprocessing.get_all_start_methods()


class AsWrittenBatches:
    """The batches of `images` under the user's transform; see `Batches`."""

    def __init__(self, images: Sequence[Image.Image], transform: Any, options: LoadingOptions, plan: Plan) -> None:
        self._images = images
        self._options = options
        self._workers = options.num_workers if processes_are_safe() else 0
        self.plan = replace(
            plan, reason=f"{plan.reason}; {self._where()}", facts={"decoder": "Pillow", "pillow": PIL.__version__}
        )
        self._transform = as_callable(transform)
        self._running: list[Any] = []

    def __len__(self) -> int:
        return math.ceil(len(self._images) / self._options.batch_size)

    def __iter__(self) -> Iterator[torch.Tensor]:
        with _quiet_start() if self._workers else nullcontext():
            batches = iter(self._loader())
        self._running.append(batches)
        shape = None
        try:
            for number in range(len(self)):
                batch = _next_batch(batches)
                first = number * self._options.batch_size
                shape = shape or _Shape.of(self._images, first, batch[0])
                shape.check(_Shape.of(self._images, first, batch[0]))
                yield batch
        finally:
            self._running.remove(batches)
            _stop(batches)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Stop the worker processes of every iteration that was left half way."""
        for batches in self._running:
            _stop(batches)

    def _where(self) -> str:
        if self._workers:
            return f"in {self._workers} worker processes"
        return "in this process" if processes_are_safe() else "in this process, for want of a safe fork on this system"

    def _loader(self) -> DataLoader[Any]:
        return DataLoader(
            _TransformedImages(self._images, self._transform),
            batch_size=self._options.batch_size,
            num_workers=self._workers,
            multiprocessing_context="fork" if self._workers else None,
            worker_init_fn=_leave_interrupts_to_the_parent if self._workers else None,
            collate_fn=_collate,
            pin_memory=self._options.pinned,
        )


@dataclass(frozen=True)
class _Failure:
    """An error on its way from a worker, as a value: torch would wrap a raised one beyond recognition."""

    error: TorchbenchError
    cause: BaseException | None

    @classmethod
    def of(cls, error: TorchbenchError) -> "_Failure":
        in_worker = torch.utils.data.get_worker_info() is not None
        return cls(error, _portable(error.__cause__) if in_worker else error.__cause__)

    def reraise(self) -> None:
        raise self.error from self.cause


@dataclass(frozen=True)
class _Shape:
    """The shape one image came out with, and the words that name the image."""

    image: str
    shape: tuple[int, ...]

    @classmethod
    def of(cls, images: Sequence[Image.Image], index: int, tensor: torch.Tensor) -> "_Shape":
        return cls(name_of(images, index), tuple(tensor.shape))

    def check(self, other: "_Shape") -> None:
        if self.shape != other.shape:
            raise ArgumentError(
                f"expected input_transform to give tensors of one shape, got {self.shape} for {self.image} and "
                f"{other.shape} for {other.image}; add a CenterCrop, or give Resize a (height, width) pair"
            )


class _TransformedImages(Dataset["tuple[_Shape, torch.Tensor] | _Failure"]):
    """The images after the transform, each with its shape; an error is a value like any other."""

    def __init__(self, images: Sequence[Image.Image], transform: Transform) -> None:
        self._images = images
        self._transform = transform

    def __len__(self) -> int:
        return len(self._images)

    def __getitem__(self, index: int) -> "tuple[_Shape, torch.Tensor] | _Failure":
        try:
            tensor = self._tensor(index)
        except TorchbenchError as error:
            return _Failure.of(error)
        return _Shape.of(self._images, index, tensor), tensor

    def _tensor(self, index: int) -> torch.Tensor:
        image = self._images[index]
        try:
            tensor = self._transform(image)
        except TorchbenchError:
            raise
        except Exception as error:
            name = name_of(self._images, index)
            raise ArgumentError(f"input_transform raised {type(error).__name__} on {name}: {error}") from error
        if not isinstance(tensor, torch.Tensor):
            raise ArgumentError(
                f"expected input_transform to give a tensor, got {type(tensor).__module__}.{type(tensor).__qualname__} "
                f"for {name_of(self._images, index)}; add ToTensor() to the transform"
            )
        return tensor


def name_of(images: Sequence[Image.Image], index: int) -> str:
    """The file of an image, or its number where images are not files."""
    paths = getattr(images, "paths", None)
    return f"image {index}" if paths is None else str(paths[index])


def _collate(samples: "list[tuple[_Shape, torch.Tensor] | _Failure]") -> "torch.Tensor | _Failure":
    for sample in samples:
        if isinstance(sample, _Failure):
            return sample
    whole = [sample for sample in samples if not isinstance(sample, _Failure)]
    try:
        for shape, _ in whole:
            whole[0][0].check(shape)
    except ArgumentError as error:
        return _Failure.of(error)
    batch: torch.Tensor = torch.utils.data.default_collate([tensor for _, tensor in whole])
    return batch


def _next_batch(batches: Iterator[Any]) -> torch.Tensor:
    try:
        batch = next(batches)
    except RuntimeError as error:  # errors of images and transforms are values: only the death of a worker is raised
        raise TorchbenchError(
            f"a loading process ended before its batch was ready ({error}); "
            "if memory, or a container's shared memory, ran out, lower num_workers or batch_size"
        ) from error
    if isinstance(batch, _Failure):
        batch.reraise()
    return batch  # type: ignore[no-any-return] # what _collate returns and is no failure


def _portable(error: BaseException | None) -> BaseException | None:
    """The error itself where it survives the way between processes, else one that says the same."""
    if error is None:
        return None
    error.add_note("".join(traceback.format_exception(error)))
    try:
        pickle.loads(pickle.dumps(error))  # noqa: S301 - our own bytes, made in this very expression
    except Exception as lost:  # noqa: BLE001 - a stranger's error class may fail in any way when pickled
        del lost
        substitute = RuntimeError(f"{type(error).__qualname__}: {error}")
        substitute.add_note(error.__notes__[-1])
        return substitute
    return error


@contextmanager
def _quiet_start() -> Iterator[None]:
    """Start workers that an interrupt cannot reach before they know to ignore it."""
    previous = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        with warnings.catch_warnings():
            # A worker decodes and transforms: it touches no lock that a thread of this process may hold at the fork.
            warnings.filterwarnings("ignore", "This process .* is multi-threaded", DeprecationWarning)
            yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, previous)


def _leave_interrupts_to_the_parent(_worker: int) -> None:
    """Ctrl-C reaches every process of the terminal; the parent alone answers it and stops its workers."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _stop(batches: Any) -> None:
    shutdown = getattr(batches, "_shutdown_workers", None)  # torch offers no public way to end workers early
    if shutdown is not None:
        shutdown()
