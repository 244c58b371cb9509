"""What benchmark() gives back: the numbers, and the record that carries them to others."""

import re
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchrecord import (
    InvalidRecord,
    Predictions,
    append_record,
    check_appendable,
    validate_record,
    write_predictions,
)
from torchbench.errors import ArgumentError
from torchbench.evaluate import KeptOutputs


@dataclass(frozen=True)
class BenchmarkResult:
    """One model on one benchmark. Fractions between 0 and 1 throughout; percent is for screens.

    `results` is empty where nothing was scored here: in a sealed run, and when only checking. `companions` are the
    results on other benchmarks that were asked for in the same call, by the name of each.
    """

    record: Mapping[str, Any]
    notes: tuple[str, ...] = ()
    stored: Path | None = None
    predictions: Predictions | None = field(default=None, repr=False)
    companions: Mapping[str, "BenchmarkResult"] = field(default_factory=dict, repr=False)

    def __repr__(self) -> str:
        """One line, as a notebook shows it; `record` has the rest."""
        return f"<BenchmarkResult: {self.model or 'unnamed model'} on {self.dataset}, {self.results}>"

    @property
    def model(self) -> str | None:
        """The model's name in its paper."""
        return self.record["model"]  # type: ignore[no-any-return]

    @property
    def task(self) -> str:
        """Such as `Image Classification`."""
        return self.record["task"]  # type: ignore[no-any-return]

    @property
    def dataset(self) -> str:
        """Such as `ImageNet`."""
        return self.record["dataset_name"]  # type: ignore[no-any-return]

    @property
    def results(self) -> dict[str, float]:
        """Metric name to fraction.

        Such as `{"Top 1 Accuracy": 0.79312, "Top 5 Accuracy": 0.94526}`.
        """
        return dict(self.record["results"])

    @property
    def intervals(self) -> dict[str, tuple[float, float]]:
        """Metric name to its 95 % Wilson interval."""
        return {name: (low, high) for name, (low, high) in self.record["intervals"].items()}

    @property
    def paper(self) -> dict[str, dict[str, float]]:
        """Metric name to the paper's figure as it was given and the difference, measured minus paper."""
        return dict(self.record["paper"])

    @property
    def speed_mem_metrics(self) -> dict[str, float]:
        """Speed and memory under the names that the predecessor used; only what was measured."""
        speed = self.record["speed"]
        if not speed:
            return {}
        memory = speed.get("memory", {})
        named = {
            "Tasks / Evaluation Time": speed["samples_per_second"],
            "Tasks": self.record["samples"],
            "Evaluation Time": sum(speed["seconds"].values()),
            "Max Memory Allocated (Total)": memory.get("cuda_bytes"),
        }
        return {name: value for name, value in named.items() if value is not None}

    @property
    def run_hash(self) -> str | None:
        """SHA-256 of the first batch's outputs; tells runs apart, proves nothing."""
        return self.record["run_hash"]  # type: ignore[no-any-return]

    def to_dict(self) -> dict[str, Any]:
        """The record as it is written, a copy."""
        return dict(self.record)


def require_storable(record: Mapping[str, Any], path: Path) -> None:
    """Raise ArgumentError when `store` could not keep this record, its results still to come, at `path`."""
    to_come = {"results": {"still to come": 0.0}}
    try:
        validate_record({**record, **to_come})
        name = f"{_stored_name(record, path, '0' * 64)}-outputs.npy"
        validate_record({**record, **to_come, "outputs": {"name": name, "size": 1, "sha256": "0" * 64}})
        check_appendable(path, record)
    except InvalidRecord as error:
        raise ArgumentError(f"SOTABENCH_STORE_FILENAME asks for a record at {path}: {error}") from error
    except OSError as error:
        reason = error.strerror or error
        raise ArgumentError(
            f"SOTABENCH_STORE_FILENAME asks for a record at {path}: {reason}; name a file that can be written"
        ) from error


def store(
    record: Mapping[str, Any], predictions: Predictions | None, path: Path, outputs: KeptOutputs | None = None
) -> dict[str, Any]:
    """Write the predictions beside `path`, move the outputs there, and append the record, which names both, to `path`.

    The predictions' name carries their own digest, so that runs which share a file never overwrite each other.
    """
    stored = dict(record)
    if predictions is not None:
        path.parent.mkdir(parents=True, exist_ok=True)
        written = write_predictions(path.with_name(f".predictions-{uuid.uuid4().hex}.npz"), predictions)
        name = _stored_name(record, path, written.sha256)
        path.with_name(written.name).replace(path.with_name(f"{name}.npz"))
        stored["predictions"] = {"name": f"{name}.npz", "size": written.size, "sha256": written.sha256}
        if outputs is not None:
            outputs.path.replace(path.with_name(f"{name}-outputs.npy"))
            stored["outputs"] = {"name": f"{name}-outputs.npy", "size": outputs.size, "sha256": outputs.sha256}
    append_record(path, stored)
    return stored


def _stored_name(record: Mapping[str, Any], path: Path, sha256: str) -> str:
    """The name, but for its ending, of the files beside the record: one that every reader of records accepts."""
    words = _plain(record["model"] or record["dataset_name"], allowed="A-Za-z0-9.")
    return f"{_plain(path.stem, allowed='A-Za-z0-9._') or 'records'}-{words or 'model'}-{sha256[:12]}"


def _plain(text: str, *, allowed: str) -> str:
    """The text as a part of a file name: other characters become hyphens, and dots stand alone."""
    hyphens = re.sub(rf"[^{allowed}]+", "-", text)
    return re.sub(r"\.{2,}", ".", hyphens).strip("-._")[:60].rstrip("-._")
