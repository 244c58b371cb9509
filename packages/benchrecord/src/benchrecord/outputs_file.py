"""All outputs of a model in a file beside its predictions, when asked: log-probabilities `(N, C)` as float16.

The file is plain `.npy` (format 1.0, float16, little-endian, C order): 128 bytes, then one row an image in the order of
the predictions file, which holds the ids. A ZIP archive around it would have to know its sizes before the first row;
so rows are appended as they come, and `numpy.load` or `numpy.memmap` open the file. 50,000 x 1,000 are 100 MB.

Log-probabilities, not outputs, since float16 ends at 65,504 and logits need not, and since those of logits and of
probabilities mean the same. Rounding to float16 is off by at most 2^-11 (0.05 %) of the value. A value below -65,504
is kept as -65,504; -inf says that the model itself gave the probability 0. A row of NaN: not all outputs were finite.
"""

import hashlib
import math
import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from benchrecord.errors import InvalidPredictions
from benchrecord.files import move_over, read_strangers_file, unused_name
from benchrecord.predictions import (
    PROBABILITY_TOLERANCE,
    TOP,
    Floats,
    Predictions,
    blocks,
    check_number_of_classes,
    check_outputs,
    distributions,
)
from benchrecord.predictions_file import PredictionsFile

LOWEST = -65_504.0
"""The lowest log-probability in the file but -inf: float16's largest number."""

_HEADER = 128
_ROUNDING = 2.0**-10
"""Twice float16's relative rounding error."""
_SLACK = 1e-3
"""For the log-probabilities close to 0, which were computed in float32 from outputs of any size."""


@dataclass(frozen=True, eq=False)
class OutputsPart:
    """Rows that one process wrote, for the writer of another one to take; the file `path` waits for it."""

    path: Path
    finite: NDArray[np.bool_]
    sums_to_one: NDArray[np.bool_]
    number_of_classes: int


class OutputsWriter:
    """Writes the outputs file batch by batch, in constant memory but for two bytes an image.

    The file appears at `path` when it is finished, whole; a `with` block that ends before `finish` leaves nothing.
    Several processes write a part each: all but the first `hand_over` theirs, which the first takes by `extend`.

        with OutputsWriter(path, classes=1000) as writer:
            writer.add(outputs)
            written = writer.finish()
    """

    def __init__(self, path: str | Path, classes: int) -> None:
        check_number_of_classes(classes)
        self.number_of_classes = classes
        self._path = Path(path)
        self._path.parent.mkdir(parents=True, exist_ok=True)
        self._temporary = unused_name(self._path)
        self._file = self._temporary.open("x+b")
        self._file.write(bytes(_HEADER))
        self._finite: list[NDArray[np.bool_]] = []
        self._sums_to_one: list[NDArray[np.bool_]] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.abandon()

    def add(self, outputs: NDArray[Any]) -> None:
        """Append the outputs `(B, classes)` of the next `B` images, the very ones that `PredictionsBuilder` is given.

        Raises InvalidPredictions when shape or dtype is wrong; then nothing was added.
        """
        check_outputs(outputs, (len(outputs) if np.ndim(outputs) else 0, self.number_of_classes))
        for block in blocks(outputs):
            with np.errstate(all="ignore"):  # rows with NaN or infinity are computed and then thrown away
                finite, sums_to_one = distributions(block)
                # Whether outputs are probabilities is known after the last image only; `finish` settles it.
                logs = _log_softmax(block)
                if sums_to_one.any():
                    logs[sums_to_one] = np.minimum(np.log(block[sums_to_one]), 0)
                logs[~finite] = np.nan
                self._file.write(_to_bytes(logs))
            self._finite.append(finite)
            self._sums_to_one.append(sums_to_one & finite)

    def hand_over(self) -> OutputsPart:
        """Leave what was added to another writer: the rows stay in a hidden file until it takes them."""
        self._file.close()
        waiting = self._temporary
        self._temporary = unused_name(self._path)
        return OutputsPart(waiting, *self._row_facts(), self.number_of_classes)

    def extend(self, part: OutputsPart) -> None:
        """Append the rows that another writer handed over, and remove their file.

        Raises InvalidPredictions for other classes, FileNotFoundError where the file is not on a disk of this machine.
        """
        if part.number_of_classes != self.number_of_classes:
            raise InvalidPredictions(f"expected {self.number_of_classes} classes, found {part.number_of_classes}")
        with part.path.open("rb") as rows:
            rows.seek(_HEADER)
            shutil.copyfileobj(rows, self._file, 1 << 20)
        part.path.unlink()
        self._finite.append(part.finite)
        self._sums_to_one.append(part.sums_to_one)

    def finish(self) -> PredictionsFile:
        """Move the whole file to its path; returns what a record says about it. Raises OSError."""
        finite, sums_to_one = self._row_facts()
        if not np.array_equal(finite, sums_to_one):
            self._turn_into_logits(np.flatnonzero(sums_to_one))
        self._file.seek(0)
        self._file.write(_header(len(finite), self.number_of_classes))
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.seek(0)
        digest = hashlib.file_digest(self._file, "sha256").hexdigest()
        size = self._file.seek(0, os.SEEK_END)
        self._file.close()
        move_over(self._temporary, self._path)
        return PredictionsFile(self._path.name, size, digest)

    def abandon(self) -> None:
        """Remove what was written so far; nothing happens after `finish`."""
        self._file.close()
        self._temporary.unlink(missing_ok=True)

    def _row_facts(self) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
        """Which rows are finite, and which of these are distributions."""
        nothing = np.empty(0, np.bool_)
        return np.concatenate([nothing, *self._finite]), np.concatenate([nothing, *self._sums_to_one])

    def _turn_into_logits(self, rows: NDArray[np.intp]) -> None:
        """Rewrite rows that were taken for probabilities: other images show that the outputs were logits."""
        size = 2 * self.number_of_classes
        for row in rows.tolist():
            self._file.seek(_HEADER + row * size)
            values = np.exp(np.frombuffer(self._file.read(size), "<f2").astype(np.float32))
            self._file.seek(_HEADER + row * size)
            self._file.write(_to_bytes(_log_softmax(values[None])))


def read_outputs(
    path: str | Path, predictions: Predictions, *, sha256: str | None = None, max_size: int = 256 << 20
) -> NDArray[np.float16]:
    """The log-probabilities `(N, C)` float16, read-only, in a file whose writer is not trusted.

    `sha256` is the digest that the record promised. The file is read into memory, not mapped: what was checked cannot
    change any more. It must be a header of exactly the predictions' images and classes and nothing but the rows;
    every row must sum to 1 as probabilities and repeat the five best log-probabilities of the predictions, both within
    what float16 loses. So no file gives a model a likelihood that its predictions do not bear.
    Raises InvalidPredictions, naming the rule.
    """
    content = read_strangers_file(Path(path), limit=max_size, error=InvalidPredictions)
    if sha256 is not None and (found := hashlib.sha256(content).hexdigest()) != sha256:
        raise InvalidPredictions(f"expected an outputs file of SHA-256 {sha256}, found {found}")
    shape = len(predictions), predictions.number_of_classes
    if content[:_HEADER] != _header(*shape):
        expected = f"an outputs file to begin as a plain float16 array of shape {shape} in npy format 1.0"
        raise InvalidPredictions(f"expected {expected}, found {content[:_HEADER].rstrip()[:120]!r}")
    size = _HEADER + 2 * shape[0] * shape[1]
    if len(content) != size:
        raise InvalidPredictions(f"expected an outputs file of {size} bytes, found {len(content)}")
    values: NDArray[np.float16] = np.ndarray(shape, "<f2", content, _HEADER).astype(np.float16, copy=False)
    _check_values(values, predictions)
    return values


def _header(images: int, classes: int) -> bytes:
    """The first bytes of the file, as `numpy.save` writes them."""
    text = f"{{'descr': '<f2', 'fortran_order': False, 'shape': ({images}, {classes}), }}"
    return b"\x93NUMPY\x01\x00\x76\x00" + text.encode("ascii").ljust(_HEADER - 11) + b"\n"


def _log_softmax(block: Floats) -> Floats:
    shifted = block - block.max(axis=1, keepdims=True)
    shifted -= np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    return np.asarray(np.maximum(shifted, LOWEST))


def _to_bytes(logs: Floats) -> bytes:
    return logs.astype("<f2").tobytes()


def _check_values(values: NDArray[np.float16], predictions: Predictions) -> None:
    rounding = _ROUNDING * math.log(max(2, predictions.number_of_classes))  # entropy is at most log(C)
    tolerance = rounding + (PROBABILITY_TOLERANCE if predictions.kind == "probabilities" else 0)
    start = 0
    for block in blocks(values):
        chosen = slice(start, start + len(block))
        missing = predictions.classes[chosen, 0] < 0
        _demand(np.isnan(block).all(axis=1) == missing, start, "NaN where an output was not finite, and only there")
        with np.errstate(all="ignore"):
            _demand(missing | (block <= 0).all(axis=1), start, "log-probabilities of at most 0 and none of them NaN")
            total = np.exp(block).sum(axis=1)
            _demand(missing | (np.abs(total - 1) <= tolerance), start, "the probabilities of an image to sum to 1")
            _demand(missing | _repeats_best(block, predictions, chosen), start, "the five best of the predictions file")
        start = chosen.stop


def _repeats_best(block: Floats, predictions: Predictions, chosen: slice) -> NDArray[np.bool_]:
    """Whether the predictions' best classes have their log-probabilities in `block`, which is overwritten, and lead."""
    given = min(TOP, predictions.number_of_classes)
    best = predictions.classes[chosen, :given].astype(np.intp)
    promised = np.maximum(predictions.log_probabilities[chosen, :given], LOWEST)
    allowed = _ROUNDING * np.abs(promised) + _SLACK
    found = np.maximum(np.take_along_axis(block, best, axis=1), LOWEST)
    np.put_along_axis(block, best, -np.inf, axis=1)
    leads: NDArray[np.bool_] = block.max(axis=1) <= (promised + allowed)[:, -1]
    repeats: NDArray[np.bool_] = (np.abs(found - promised) <= allowed).all(axis=1)
    return leads & repeats


def _demand(holds: NDArray[np.bool_], start: int, expected: str) -> None:
    wrong = np.flatnonzero(~holds)
    if len(wrong):
        raise InvalidPredictions(f"expected {expected}, found otherwise in row {start + int(wrong[0])} of the outputs")
