"""A record becomes a result: what is the same whether it was computed here or elsewhere."""

import hashlib
import json
import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.conf import settings

from benchrecord import printable
from benchrecord.files import move_over, unused_name
from sotabench.server.benchmarks.figures import figures_of, rank_value
from sotabench.server.benchmarks.models import Benchmark, Figure, Result, Tier
from sotabench.server.benchmarks.sort_keys import sort_keys
from sotabench.server.benchmarks.texts import fitting
from sotabench.server.builds.models import Build
from sotabench.server.errors import Invalid
from sotabench.server.papers.spelling import arxiv_id, model_key, pwc_id

PREDICTIONS = "predictions"
"""The folder of the predictions files, below that of all files."""

UNNAMED = "unnamed model"

MOST_BYTES_OF_A_RECORD = 512 << 10
"""As it is stored: a page reads fifty of them, and an honest one has ten thousand."""


@dataclass(frozen=True)
class Kept:
    """A predictions file that this site keeps; both empty: it keeps none."""

    name: str = ""
    sha256: str = ""
    size: int = 0


def keep_file(path: Path, sha256: str) -> Kept:
    """Keep the file under its digest, so that equal files are kept once.

    One that is there already is touched: it is wanted, even if no result names it yet. It is whole or not there, also
    after a crash or on a full disk. Raises OSError.
    """
    name = f"{PREDICTIONS}/{sha256[:2]}/{sha256}.npz"
    kept = Path(settings.MEDIA_ROOT, name)
    if kept.exists():
        kept.touch()
        return Kept(name, sha256, kept.stat().st_size)
    kept.parent.mkdir(parents=True, exist_ok=True)
    coming = unused_name(kept)
    try:
        with path.open("rb") as source, coming.open("xb") as target:
            shutil.copyfileobj(source, target)
            target.flush()
            os.fsync(target.fileno())
        coming.chmod(settings.FILE_UPLOAD_PERMISSIONS)
        move_over(coming, kept)
    finally:
        coming.unlink(missing_ok=True)
    return Kept(name, sha256, kept.stat().st_size)


def check_commit(record: Mapping[str, Any], commit: str) -> None:
    """Raise Invalid when the record says that it is of another commit."""
    environment = record.get("environment")
    git = environment.get("git") if isinstance(environment, dict) else None
    found = git.get("commit") if isinstance(git, dict) else None
    if found is not None and found != commit:
        raise Invalid(f"expected one of commit {commit}, found one of {printable(str(found), 64)}")


def check_size(record: Mapping[str, Any]) -> None:
    """Raise Invalid for a record that would be slow to read for everybody who looks at a page with it."""
    if (size := len(stored_text(record)[0].encode())) > MOST_BYTES_OF_A_RECORD:
        raise Invalid(f"expected a record of at most {MOST_BYTES_OF_A_RECORD} bytes, found {size}")


def check_metrics(record: Mapping[str, Any], benchmark: Benchmark) -> None:
    """Raise Invalid unless results and the paper's are named, and measured, as the benchmark's metrics are."""
    names = [metric.name for metric in benchmark.metrics.all()]
    known = f"{benchmark} ({', '.join(names)})"
    if record["results"] and names and names[0] not in record["results"]:
        raise Invalid(f"expected results as on {known}, found none named {names[0]}")
    for name, value in (record.get("paper_results") or {}).items():
        if name not in names:
            raise Invalid(f"expected paper_results named as on {known}, found {printable(name, 100)!r}")
        if "accuracy" in name.lower() and not 0 <= value <= 1:
            raise Invalid(
                f"expected paper_results[{name!r}] to be a fraction from 0 to 1, found {value}; is it percent?"
            )


def stored_text(record: Mapping[str, Any]) -> tuple[str, str]:
    """A record as it is stored, and the SHA-256 of that."""
    text = json.dumps(record, ensure_ascii=False)
    return text, hashlib.sha256(text.encode()).hexdigest()


def add_result(
    build: Build, record: Mapping[str, Any], benchmark: Benchmark, *, tier: Tier, kept: Kept, call_key: str = ""
) -> Result:
    """Store what the record says as a result of the build, its results in this tier; of a preview it ranks nowhere.

    Raises Invalid when the record's results or the paper's are not the benchmark's.
    """
    check_metrics(record, benchmark)
    text, digest = stored_text(record)
    figures = figures_of(record, benchmark, tier=tier)
    name = fitting((record.get("model") or "").strip(), 300) or UNNAMED
    declared = record.get("declared")
    extra = declared.get("extra_training_data") if isinstance(declared, dict) else None
    result = Result.objects.create(
        build=build,
        repository=build.repository,
        benchmark=benchmark,
        model_name=name,
        model_key=model_key(name),
        tier=tier,
        rank_value=None if build.is_preview else rank_value(figures, benchmark),
        samples=record.get("samples"),
        arxiv_id=arxiv_id(record.get("arxiv_id") or ""),
        pwc_id=pwc_id(record.get("pwc_id") or ""),
        extra_training_data=extra if isinstance(extra, bool) else None,
        record=text,
        record_sha256=digest,
        predictions=kept.name,
        predictions_sha256=kept.sha256,
        stored_bytes=len(text.encode()) + kept.size,
        call_key=call_key,
        **sort_keys(name, figures, benchmark),
    )
    add_figures(result, figures)
    return result


def add_figures(result: Result, figures: Sequence[Figure]) -> None:
    """Store new figures as the result's."""
    for figure in figures:
        figure.result = result
    Figure.objects.bulk_create(figures)


def supersede(result: Result, *, tiers: Sequence[Tier]) -> None:
    """Let the result take the place of its model's current ones in these tiers, from earlier builds.

    A verified one of a later build, which ended sooner, takes this one's place. A preview changes nothing, and nothing
    changes it.
    """
    if result.build.is_preview:
        return
    current = Result.objects.filter(
        repository=result.repository,
        benchmark=result.benchmark,
        model_name=result.model_name,
        superseded_by=None,
        build__is_preview=False,
    )
    current.filter(build__number__lt=result.build.number, tier__in=tiers).update(superseded_by=result)
    later = current.filter(build__number__gt=result.build.number, tier=Tier.VERIFIED)
    if (newest := later.order_by("-build__number").first()) is not None:
        result.superseded_by = newest
        result.save(update_fields=["superseded_by"])
