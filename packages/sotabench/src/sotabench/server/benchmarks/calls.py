"""What comes back from a build, call by call; and what need not run because the very same thing ran before.

Two runs are the same where everything is that their results depend on: the repository's tree and submodules, the
environment's lock, weights, data, torchbench, decoder, hardware. The runner says what they are (`inputs`); equal ones
have equal keys. So are the labels and metrics of this site, by which it scores.
"""

import hashlib
import json
import re
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db.models import Exists, OuterRef, QuerySet
from django.utils import timezone

from benchrecord import InvalidRecord, read_records
from sotabench.server.benchmarks.models import DataCopy, Result, Tier
from sotabench.server.benchmarks.scoring import carry_call, carry_over, score_call
from sotabench.server.builds.leases import attempt_of, note_conditions
from sotabench.server.builds.models import Attempt, Build
from sotabench.server.builds.services import Status
from sotabench.server.errors import Invalid

MOST_INPUTS = 4 << 20
"""Bytes of JSON: a few thousand files of weights."""

_SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class Known:
    """The number of the build that measured all of it before, if one did; else the calls that were scored before."""

    carried_from: int | None
    done: list[str]


def accept_inputs(attempt: Attempt, inputs: dict[str, Any], *, had_network: bool) -> Known:
    """Keep what the build depends on; carry results over where a finished build depended on the very same.

    Nothing is carried over for a build that is to be full, or that has network while it evaluates. Raises LeaseLost,
    and Invalid for more inputs than any build has.
    """
    text = json.dumps(inputs, sort_keys=True).encode()
    if len(text) > MOST_INPUTS:
        raise Invalid(f"expected inputs of at most {MOST_INPUTS} bytes, found {len(text)}")
    key = hashlib.sha256(text + _scored_by()).hexdigest()
    note_conditions(attempt, inputs=inputs, inputs_key=key, had_network=had_network)
    build = attempt.build
    own = _keys(build.results.all())
    if build.is_full or had_network:
        return Known(None, own)
    if not own and (earlier := _same(build).filter(status=Status.FINISHED, results__tier=Tier.VERIFIED).first()):
        carry_over(build, earlier, attempt=attempt)
        return Known(earlier.number, [])
    return Known(None, sorted({*own, *_keys(_results_of_same(build))}))


def _scored_by() -> bytes:
    """The labels and metrics of every data set that builds are evaluated on."""
    copies = DataCopy.objects.select_related("benchmark").prefetch_related("benchmark__metrics").order_by("pk")
    found = [
        (copy.folder, copy.benchmark.labels.name, [metric.name for metric in copy.benchmark.metrics.all()])
        for copy in copies
    ]
    return json.dumps(found).encode()


def accept_call(token: str, content: bytes, predictions: Path | None, *, number: int) -> Result:
    """The result of an attempt's call with this number: scored now, or the one that the build or an equal one had.

    Raises LeaseLost, and Invalid that says why it is refused.
    """
    record = _one_record(content)
    attempt = attempt_of(token)
    build, key = attempt.build, _key_of(record, number)
    if not record.get("carried_over"):
        return score_call(build, record, predictions, call_key=key, attempt=attempt)
    if known := build.results.filter(call_key=key).first():
        return known
    if earlier := _results_of_same(build).filter(call_key=key).select_related("build").first():
        return carry_call(build, key, earlier.build, attempt=attempt)
    raise Invalid("expected a call that was scored before under the very same conditions, found none")


def _same(build: Build) -> QuerySet[Build]:
    """Earlier builds that this site ran with the same inputs, recently enough, newest first."""
    same = Build.objects.filter(repository=build.repository_id, inputs_key=build.inputs_key, created_at__gt=_recent())
    stale = Result.objects.filter(build=OuterRef("pk"), carried_from__created_at__lt=_recent())
    return same.exclude(pk=build.pk).exclude(inputs_key="").exclude(Exists(stale)).order_by("-number")


def _results_of_same(build: Build) -> QuerySet[Result]:
    return Result.objects.filter(build__in=_same(build), tier=Tier.VERIFIED).exclude(call_key="").order_by("-pk")


def _recent() -> datetime:
    return timezone.now() - timedelta(days=settings.RERUN_AFTER_DAYS)


def _keys(results: QuerySet[Result]) -> list[str]:
    return sorted({key for key in results.values_list("call_key", flat=True) if key})


def _key_of(record: Mapping[str, Any], number: int) -> str:
    """What names the call: its own key, else its place in the file, so that a call that is told again is the same."""
    found = record.get("call_key")
    if isinstance(found, str) and _SHA256.fullmatch(found):
        return found
    named = [number, *(str(record.get(name)) for name in ("task", "dataset_name", "model"))]
    return hashlib.sha256(json.dumps(named).encode()).hexdigest()


def _one_record(content: bytes) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "record.json"
        path.write_bytes(content)
        try:
            [record] = read_records(path, max_records=1)
        except InvalidRecord as error:
            raise Invalid(str(error).replace(str(path), "the record")) from error
        except ValueError as error:
            raise Invalid("expected one record, found none") from error
    return record
