"""A record that was stored earlier, with its predictions beside it, read as a stranger's files."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchrecord import Predictions, printable, read_outputs, read_predictions, read_records, validate_record
from torchbench.errors import ArgumentError

_SHOWN = 12


@dataclass(frozen=True)
class Stored:
    """One record of a file; `number` counts from 1. The predictions are None where the record names none."""

    path: Path
    number: int
    record: Mapping[str, Any]
    predictions: Predictions | None

    @property
    def model(self) -> str:
        """The model's name, fit to be shown on one line."""
        return printable(self.record["model"] or "unnamed model", 100)

    @property
    def source(self) -> str:
        """Where it was read: `results.json:2`."""
        return f"{self.path.name}:{self.number}"

    @property
    def target_map(self) -> Sequence[int] | None:
        """What `score` takes."""
        return self.record.get("target_map")

    @property
    def fingerprint(self) -> str | None:
        """What the record says of its images' contents, None where it says nothing."""
        found = (self.record.get("dataset") or {}).get("fingerprint")
        return found if isinstance(found, str) and found else None

    def expect_predictions(self) -> Predictions:
        """The predictions; raises ArgumentError where there are none."""
        if self.predictions is None:
            raise ArgumentError(f"expected predictions beside {self.source}, found a record that names no such file")
        return self.predictions

    def outputs(self) -> NDArray[np.float16] | None:
        """All log-probabilities `(N, C)`, None where they were not kept or their file was not copied along."""
        promised = self.record.get("outputs")
        if promised is None or self.predictions is None or not (file := self.path.with_name(promised["name"])).exists():
            return None
        return read_outputs(file, self.predictions, sha256=promised["sha256"])


def read_stored(words: str) -> Stored:
    """The record that `file.json`, `file.json:2` or `file.json:ModelName` means, and its predictions.

    Raises ArgumentError when the words mean no record or several, InvalidRecord and InvalidPredictions for files that
    break a rule of the format.
    """
    path, choice = _file_and_choice(words)
    records = read_records(path)
    index = _chosen(records, choice, path)
    record = records[index]
    validate_record(record)
    promised = record.get("predictions")
    predictions = promised and read_predictions(path.with_name(promised["name"]), sha256=promised["sha256"])
    return Stored(path, index + 1, record, predictions)


def _file_and_choice(words: str) -> tuple[Path, str | None]:
    """The longest beginning that is a file, and what stands behind its colon."""
    if Path(words).exists():
        return Path(words), None
    place = len(words)
    while (place := words.rfind(":", 0, place)) > 0:
        if Path(words[:place]).is_file():
            return Path(words[:place]), words[place + 1 :]
    raise ArgumentError(f"expected a file of records such as results.json or results.json:2, found none at {words!r}")


def _chosen(records: Sequence[Mapping[str, Any]], choice: str | None, path: Path) -> int:
    if choice is None and len(records) == 1:
        return 0
    if choice and choice.isascii() and choice.isdigit() and 1 <= int(choice[:9]) <= len(records):
        return int(choice) - 1
    named = [index for index, record in enumerate(records) if choice and record.get("model") == choice]
    if len(named) == 1:
        return named[0]
    wanted = "which one?" if choice is None else f"expected one that {choice!r} means, found {len(named)};"
    raise ArgumentError(f"{path} holds {len(records)} records; {wanted} choose among {_choices(records, path)}")


def _choices(records: Sequence[Mapping[str, Any]], path: Path) -> str:
    names = [
        f"{path.name}:{number} ({printable(str(record.get('model')), 60)})"
        for number, record in enumerate(records[:_SHOWN], 1)
    ]
    return ", ".join([*names, "..."] if len(records) > _SHOWN else names) or "none"
