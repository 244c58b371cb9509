"""A build's predictions are scored here, against this site's own labels.

Nothing that the build's process counted is kept: not its results, intervals, calibration, nor its number of images.
What only that process can know (speed, parameters, transform, licences) is kept as declared, and what its author
reports of the paper as the author's. Not stopped: a process that tells images apart by their pixels, since ImageNet's
labels are public; so the tier says "run and scored by this site" and no more.
"""

import math
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from django.db import transaction
from django.db.models import Q

from benchrecord import (
    TOP,
    InvalidPredictions,
    InvalidRecord,
    Predictions,
    expected_calibration_error,
    negative_log_likelihood,
    printable,
    read_predictions,
    score,
    validate_record,
    write_predictions,
)
from benchrecord.calibration import BINS
from sotabench.server.benchmarks.figures import rank_value
from sotabench.server.benchmarks.labels import labels_of
from sotabench.server.benchmarks.models import DataCopy, Result, Tier
from sotabench.server.benchmarks.numbers import numbers_of
from sotabench.server.benchmarks.results import (
    Kept,
    add_figures,
    add_result,
    check_commit,
    check_size,
    keep_file,
    stored_text,
    supersede,
)
from sotabench.server.builds.leases import hold
from sotabench.server.builds.models import Attempt, Build
from sotabench.server.errors import Invalid, NotFound
from sotabench.server.repositories.models import Repository

DECLARED = (
    *("format", "model", "model_description", "task", "dataset_name", "arxiv_id", "pwc_id", "pytorch_hub_id"),
    *("paper_results", "run_hash", "target_map", "transform", "model_facts", "weights", "declared", "speed"),
    *("speed_mem_metrics", "environment", "platform"),
)
"""What is kept of a build's record (`weights` and `platform` are its runner's word); all else is ours, or dropped."""

_TIERS = (Tier.VERIFIED, Tier.SELF_REPORTED)
_TOP = {f"Top {k} Accuracy": k for k in range(1, TOP + 1)}


def score_call(
    build: Build,
    record: Mapping[str, Any],
    predictions: Path | None,
    *,
    call_key: str = "",
    attempt: Attempt | None = None,
) -> Result:
    """The verified result of one call of a build, from the record and the predictions file that its process wrote.

    It takes the place of the repository's earlier results of this model, unless the build is a preview. The same call
    told twice is one result. Raises Invalid, with nothing stored, for a record or predictions that break a rule, are
    about other images than this site's copy, or of another commit; LeaseLost when the attempt ended meanwhile.
    """
    claimed = _claimed(build, record)
    copy = _copy_of(claimed)
    answered = _by_true_ids(_answers(claimed, predictions), numbers_of(copy))
    ours = _scored(claimed, answered, copy)
    key = call_key or claimed.get("call_key") or ""
    with tempfile.TemporaryDirectory() as folder:
        written = write_predictions(Path(folder) / "predictions.npz", answered)
        kept = keep_file(Path(folder) / written.name, written.sha256)
    ours["predictions"] = {"name": f"{written.sha256}.npz", "size": written.size, "sha256": written.sha256}
    stored = {name: claimed[name] for name in DECLARED if name in claimed} | ours
    with transaction.atomic():
        _lock(build, attempt)
        return _told_before(build, stored, key) or _added(build, stored, copy, kept, key)


def carry_over(build: Build, earlier: Build, *, attempt: Attempt | None = None) -> list[Result]:
    """Every verified result of an earlier build as one of this build, each naming the one that was measured.

    Raises LeaseLost when the attempt ended meanwhile.
    """
    _check_same_repository(build, earlier)
    with transaction.atomic():
        _lock(build, attempt)
        return [_carried(build, result) for result in earlier.results.filter(tier=Tier.VERIFIED).order_by("id")]


def carry_call(build: Build, call_key: str, earlier: Build, *, attempt: Attempt | None = None) -> Result:
    """One call's verified result of an earlier build as one of this build.

    Raises NotFound when it has none, LeaseLost when the attempt ended meanwhile.
    """
    _check_same_repository(build, earlier)
    with transaction.atomic():
        _lock(build, attempt)
        found = (
            earlier.results.filter(tier=Tier.VERIFIED, call_key=call_key).order_by("id").first() if call_key else None
        )
        if found is None:
            raise NotFound(f"expected a scored call {printable(call_key, 64)!r} in {earlier}, found none")
        return _carried(build, found)


def _claimed(build: Build, record: Mapping[str, Any]) -> dict[str, Any]:
    """The record, once it is one of a whole evaluation at this build's commit."""
    try:
        validate_record(record)
    except InvalidRecord as error:
        raise Invalid(str(error)) from error
    if record.get("check"):
        raise Invalid("expected the record of an evaluation, found one of a check, in which nothing is evaluated")
    check_size(record)
    check_commit(record, build.commit)
    return dict(record)


def _copy_of(claimed: Mapping[str, Any]) -> DataCopy:
    """The images that builds were given for this data set."""
    copies = DataCopy.objects.select_related("benchmark__variant_of")
    copy = copies.filter(dataset_name=claimed["dataset_name"], benchmark__task=claimed["task"]).first()
    if copy is None or not copy.benchmark.labels:
        there = ", ".join(f"{copy.benchmark.task} on {copy.dataset_name}" for copy in copies[:20]) or "none"
        asked = printable(f"{claimed['task']} on {claimed['dataset_name']}", 200)
        raise Invalid(f"expected a benchmark whose images this site has ({there}), found {asked}")
    facts = claimed.get("dataset")
    found = facts.get("fingerprint") if isinstance(facts, dict) else None
    if found and found != copy.fingerprint:
        raise Invalid(
            f"expected the images of this site (fingerprint {copy.fingerprint[:12]}), "
            f"found others ({printable(str(found), 12)})"
        )
    return copy


def _answers(claimed: Mapping[str, Any], path: Path | None) -> Predictions:
    named = claimed.get("predictions")
    if named is None or path is None:
        raise Invalid("expected a record that names its predictions, and their file, found one of them missing")
    try:
        return read_predictions(path, sha256=named["sha256"])
    except InvalidPredictions as error:
        raise Invalid(f"predictions: {str(error).replace(str(path), named['name'])}") from error


def _by_true_ids(answered: Predictions, numbers: Mapping[str, str]) -> Predictions:
    """The same predictions under the images' own ids, in their order, once they are for every image exactly once."""
    missing = sorted(numbers.keys() - set(answered.ids))
    unknown = sorted(set(answered.ids) - numbers.keys())
    if missing or unknown:
        shown = "".join(f", such as {printable(name, 40)!r}" for name in (missing or unknown)[:1])
        raise Invalid(
            f"expected predictions for each of the {len(numbers):,} images once, found {len(missing):,} missing and "
            f"{len(unknown):,} of other images{shown}"
        )
    ids = [numbers[name] for name in answered.ids]
    order = np.array(sorted(range(len(ids)), key=ids.__getitem__))
    return Predictions(
        tuple(ids[row] for row in order),
        answered.classes[order],
        answered.log_probabilities[order],
        answered.log_sum_exp[order],
        answered.kind,
        answered.number_of_classes,
    )


def _scored(claimed: Mapping[str, Any], answered: Predictions, copy: DataCopy) -> dict[str, Any]:
    """What this site counted: every key of a record under which a number of ours stands."""
    labels, target_map = labels_of(copy.benchmark) or {}, claimed.get("target_map")
    names = [metric.name for metric in copy.benchmark.metrics.all()]
    if answered.number_of_classes <= max(labels.values()):  # told without a label in the message
        raise Invalid(f"expected outputs for all classes of the data set, found {answered.number_of_classes}")
    try:
        scored = score(answered, labels, target_map=target_map, top=[_TOP[name] for name in names if name in _TOP])
        calibration = _calibration(answered, labels, target_map)
    except InvalidRecord as error:
        raise Invalid(str(error)) from error
    whole = copy.benchmark.variant_of or copy.benchmark
    return {
        "results": scored.results,
        "correct": scored.correct,
        "scored": scored.samples,
        "intervals": {name: list(interval) for name, interval in scored.intervals.items()},
        "calibration": calibration,
        "samples": len(answered),
        "nonfinite": scored.nonfinite,
        "dataset": {
            "name": copy.dataset_name,
            "version": whole.dataset_version,
            "fingerprint": copy.fingerprint,
            "samples": copy.samples,
            "size": whole.size,
            "complete": copy.benchmark.variant_of is None,
            "sealed": True,
        },
    }


def _calibration(answered: Predictions, labels: Mapping[str, int], target_map: Sequence[int] | None) -> dict[str, Any]:
    """Whether the probabilities can be believed; empty where an output was not finite."""
    error = expected_calibration_error(answered, labels, target_map=target_map)
    if error is None:
        return {}
    facts: dict[str, Any] = {"expected_calibration_error": error, "bins": BINS}
    likelihood = negative_log_likelihood(answered, labels, target_map=target_map)
    if likelihood is not None and math.isfinite(likelihood):
        facts |= {"negative_log_likelihood": likelihood, "likelihood_from": "five best classes"}
    return facts


def _lock(build: Build, attempt: Attempt | None) -> None:
    """Let nobody else give results to this repository, nor end the attempt, until the transaction ends."""
    Repository.objects.select_for_update().get(pk=build.repository_id)
    if attempt is not None:
        hold(attempt)


def _told_before(build: Build, record: Mapping[str, Any], call_key: str) -> Result | None:
    """The result of this very call that the build has already, when it is told again."""
    _, digest = stored_text(record)
    same = Q(record_sha256=digest) | (Q(call_key=call_key) if call_key else Q(pk=None))
    return build.results.filter(same).order_by("id").first()


def _added(build: Build, record: Mapping[str, Any], copy: DataCopy, kept: Kept, call_key: str) -> Result:
    result = add_result(build, record, copy.benchmark, tier=Tier.VERIFIED, kept=kept, call_key=call_key)
    supersede(result, tiers=_TIERS)
    return result


def _check_same_repository(build: Build, earlier: Build) -> None:
    if build.repository_id != earlier.repository_id:
        raise Invalid(f"expected a build of {build.repository}, found {earlier}")


def _carried(build: Build, measured: Result) -> Result:
    """A copy of the result in this build, which says where it was measured; the one that is there already, if it is."""
    if known := build.results.filter(record_sha256=measured.record_sha256).first():
        return known
    figures = list(measured.figures.all())
    result = Result.objects.get(pk=measured.pk)
    result.pk, result._state.adding = None, True  # noqa: SLF001 - Django's documented way to copy a row
    result.build, result.carried_from, result.superseded_by = build, measured.carried_from or measured, None
    result.rank_value = None if build.is_preview else rank_value(figures, measured.benchmark)
    result.save()
    for figure in figures:
        figure.pk, figure._state.adding = None, True  # noqa: SLF001 - as above
    add_figures(result, figures)
    supersede(result, tiers=_TIERS)
    return result
