"""Our own models against each other, image by image, where their predictions and the labels are at hand."""

import hashlib
from collections.abc import Mapping, Sequence

from django.core.cache import cache

from benchrecord import (
    BenchRecordError,
    Comparison,
    InvalidPredictions,
    Predictions,
    compare,
    read_predictions,
    score,
    tied_groups,
)
from sotabench.server.benchmarks.labels import labels_of
from sotabench.server.benchmarks.models import Result
from sotabench.server.benchmarks.records import record_of

MOST = 30
"""Models that are compared at once: every pair is tested."""

CHANCE = 0.05
"""A difference that equally good models would show this often or more is a tie."""

_REMEMBERED_SECONDS = 7 * 24 * 3600


def tied_letters(results: Sequence[Result]) -> dict[int, tuple[str, ...]]:
    """Letters for each result by its key, as a ranking's `tied_groups` gives them: a shared letter is a tie.

    Of the first `MOST` results that can be compared; empty when there are not two of one benchmark, or no labels. What
    was found is remembered: results and labels never change, so the same question has the same answer.
    """
    comparable = [result for result in results if result.predictions and result.benchmark.labels][:MOST]
    if len(comparable) < 2 or len({result.benchmark_id for result in comparable}) > 1:
        return {}
    question = "/".join([str(comparable[0].benchmark.labels), *(result.record_sha256 for result in comparable)])
    key = f"ties-{hashlib.sha256(question.encode()).hexdigest()}"
    letters: list[tuple[str, ...]] | None = cache.get(key)
    if letters is None:
        letters = _letters(comparable)
        cache.set(key, letters, timeout=_REMEMBERED_SECONDS)
    return {result.pk: found for result, found in zip(comparable, letters, strict=True) if found}


def compare_results(first: Result, second: Result) -> Comparison | None:
    """Who was right where, and the p-value; None without both predictions and labels for exactly their images."""
    labels = labels_of(first.benchmark)
    if labels is None or first.benchmark_id != second.benchmark_id or not (first.predictions and second.predictions):
        return None
    pair = _fitting(first, labels), _fitting(second, labels)
    if pair[0] is None or pair[1] is None:
        return None
    return compare(pair[0], pair[1], labels, target_maps=(_target_map(first), _target_map(second)))


def _letters(results: Sequence[Result]) -> list[tuple[str, ...]]:
    """The letters of each; none for one whose predictions cannot be held against the labels."""
    labels = labels_of(results[0].benchmark) or {}
    models = [_fitting(result, labels) for result in results]
    fitting = [(place, model) for place, model in enumerate(models) if model is not None]
    letters: list[tuple[str, ...]] = [()] * len(results)
    if len(fitting) > 1:
        maps = [_target_map(results[place]) for place, _ in fitting]
        groups = tied_groups([model for _, model in fitting], labels, target_maps=maps)
        for row, found in zip(groups.ranking, groups.letters, strict=True):
            letters[fitting[row][0]] = found
    return letters


def _predictions(result: Result) -> Predictions | None:
    try:
        return read_predictions(result.predictions.path, sha256=result.predictions_sha256)
    except InvalidPredictions:
        return None  # lost or damaged on the disk: there is nothing to compare


def _fitting(result: Result, labels: Mapping[str, int]) -> Predictions | None:
    """Its predictions, where they are for exactly the labelled images and can be scored."""
    predictions = _predictions(result)
    if predictions is None or set(predictions.ids) != labels.keys():
        return None
    try:
        score(predictions, labels, target_map=_target_map(result))
    except BenchRecordError:
        return None
    return predictions


def _target_map(result: Result) -> list[int] | None:
    found = record_of(result).get("target_map")
    return found if isinstance(found, list) else None
