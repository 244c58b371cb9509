"""What a run is written down as; benchrecord holds the format and reads it back."""

import math
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import PIL

from benchrecord import FORMAT, Predictions, Score, expected_calibration_error, negative_log_likelihood, read_outputs
from benchrecord.calibration import BINS
from torchbench.dataset import TestSet
from torchbench.environment import describe_environment, peak_memory
from torchbench.evaluate import Evaluation, KeptOutputs
from torchbench.loading import Batches
from torchbench.model_facts import describe_model
from torchbench.paper import Paper
from torchbench.predictor import Predictor
from torchbench.settings import Settings
from torchbench.texts import printed, storable


class Benchmark(Protocol):
    """What a record says of the benchmark itself."""

    task: str
    name: str
    kept: tuple[int, ...] | None


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
        "calibration": {},
        "samples": 0,
        "run_hash": None,
        "target_map": None if target_map is None else list(target_map),
        "kept_classes": None if benchmark.kept is None else list(benchmark.kept),
        "dataset": {"name": benchmark.name, "sealed": settings.sealed},
        "transform": {},
        "check": settings.check,
        "call_key": None,
        "speed": {},
        "model_facts": {},
    }


def describe_carried_over(test_set: TestSet, settings: Settings) -> dict[str, Any]:
    """What is written of a call that did not run: the platform has its result from an earlier run."""
    return {"carried_over": True, "dataset": describe_dataset(test_set, sealed=settings.sealed)}


def describe_run(
    model: Any, transform: Any, predictor: Predictor, evaluation: Evaluation, batches: Batches
) -> dict[str, Any]:
    """What the pass over the images showed, labels aside; `model` is the caller's own, not spread over GPUs."""
    plan = batches.plan.describe()
    decoder = plan.get("decoder", f"Pillow {PIL.__version__}")
    return {
        "samples": len(evaluation.predictions.ids),
        "nonfinite": evaluation.predictions.nonfinite,
        "run_hash": evaluation.run_hash,
        "transform": {"text": transform_text(transform), "plan": plan},
        "model_facts": describe_model(model, predictor.example).to_dict(),
        "speed": describe_speed(evaluation, predictor),
        "environment": {**describe_environment(predictor.device), "decoder": decoder},
    }


def transform_text(transform: Any) -> str:
    """The transform as it prints itself, where it can, and as far as a record can hold it."""
    text = printed(transform)
    return storable(f"{type(transform).__qualname__}, which cannot be printed" if text is None else text)


def describe_dataset(test_set: TestSet, *, sealed: bool) -> dict[str, Any]:
    """Which images these were, whatever their names and their layout."""
    return {
        "name": test_set.name,
        "version": test_set.version,
        "fingerprint": test_set.fingerprint,
        "samples": len(test_set.ids),
        "size": test_set.size,
        "complete": test_set.complete,
        "foreign": test_set.foreign,
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
        "scored": scored.samples,
        "correct": dict(scored.correct),
        "intervals": {name: list(interval) for name, interval in scored.intervals.items()},
        "paper": paper.beside(scored.results),
    }


def describe_calibration(
    predictions: Predictions,
    labels: Mapping[str, int],
    target_map: Sequence[int] | None = None,
    kept: KeptOutputs | None = None,
) -> dict[str, Any]:
    """Whether the model's probabilities can be believed; what cannot be computed is left out.

    Nothing when an output was not finite. Without all outputs, no likelihood when a right class is not among the best
    five; never an infinite one, since a model that gave a right class the probability 0 has no number here.
    """
    error = expected_calibration_error(predictions, labels, target_map=target_map)
    if error is None:
        return {}
    outputs = read_outputs(kept.path, predictions, sha256=kept.sha256, max_size=kept.size) if kept else None
    likelihood = negative_log_likelihood(predictions, labels, outputs=outputs, target_map=target_map)
    facts: dict[str, Any] = {"expected_calibration_error": error, "bins": BINS}
    if likelihood is not None and math.isfinite(likelihood):
        facts["negative_log_likelihood"] = likelihood
        facts["likelihood_from"] = "five best classes" if kept is None else "all outputs as float16"
    return facts
