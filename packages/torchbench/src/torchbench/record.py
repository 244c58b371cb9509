"""What a run is written down as; benchrecord holds the format and reads it back."""

import re
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from benchrecord import FORMAT, Score
from torchbench.dataset import TestSet
from torchbench.environment import describe_environment, peak_memory
from torchbench.evaluate import Evaluation
from torchbench.loading import Batches
from torchbench.model_facts import describe_model
from torchbench.paper import Paper
from torchbench.predictor import Predictor
from torchbench.settings import Settings


class Benchmark(Protocol):
    """What a record says of the benchmark itself."""

    task: str
    name: str


def describe_call(
    benchmark: Benchmark, paper: Paper, description: str | None, target_map: Sequence[int] | None, settings: Settings
) -> dict[str, Any]:
    """What is known before anything ran; every key that readers rely on is there."""
    return {
        "format": FORMAT,
        **paper.to_dict(),
        "model_description": description,
        "task": benchmark.task,
        "dataset_name": benchmark.name,
        "results": {},
        "intervals": {},
        "paper": {},
        "samples": 0,
        "run_hash": None,
        "target_map": None if target_map is None else list(target_map),
        "dataset": {"name": benchmark.name, "sealed": settings.sealed},
        "transform": {},
        "check": settings.check,
        "speed": {},
        "model_facts": {},
    }


def describe_run(
    model: Any, transform: Any, predictor: Predictor, evaluation: Evaluation, batches: Batches
) -> dict[str, Any]:
    """What the pass over the images showed, labels aside; `model` is the caller's own, not spread over GPUs."""
    return {
        "samples": len(evaluation.predictions.ids),
        "nonfinite": evaluation.predictions.nonfinite,
        "run_hash": evaluation.run_hash,
        "transform": {"text": transform_text(transform), "plan": batches.plan.describe()},
        "model_facts": describe_model(model, predictor.example).to_dict(),
        "speed": describe_speed(evaluation, predictor),
        "environment": describe_environment(predictor.device),
    }


def transform_text(transform: Any) -> str:
    """The transform as it prints itself, without the memory addresses that differ from run to run."""
    return re.sub(r" at 0x[0-9a-f]+", "", repr(transform))


def describe_dataset(test_set: TestSet, *, sealed: bool) -> dict[str, Any]:
    """Which images these were, whatever their names and their layout."""
    return {
        "name": test_set.name,
        "version": test_set.version,
        "fingerprint": test_set.fingerprint,
        "samples": len(test_set.ids),
        "size": test_set.size,
        "complete": test_set.complete,
        "layout": test_set.layout,
        "assumptions": list(test_set.assumptions),
        "sealed": sealed,
    }


def describe_speed(evaluation: Evaluation, predictor: Predictor) -> dict[str, Any]:
    """Samples per second, seconds in each part, the batch size that fitted, memory."""
    seconds = evaluation.seconds
    return {
        "samples_per_second": len(evaluation.predictions.ids) / seconds.total,
        "seconds": {"loading": seconds.loading, "model": seconds.model, "scoring": seconds.scoring},
        "batch_size": predictor.part or predictor.asked,
        "memory": peak_memory(predictor.device),
    }


def describe_score(scored: Score, paper: Paper) -> Mapping[str, Any]:
    """The numbers, with the integer counts that they come from."""
    return {
        "results": dict(scored.results),
        "correct": dict(scored.correct),
        "intervals": {name: list(interval) for name, interval in scored.intervals.items()},
        "paper": paper.beside(scored.results),
    }
