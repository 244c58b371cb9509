"""Results that were computed elsewhere come in: every record of a submission or none, all marked self-reported."""

import hashlib
import json
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from django.core.files import File
from django.core.files.storage import default_storage
from django.db import transaction

from benchrecord import InvalidPredictions, InvalidRecord, printable, read_predictions, read_records, validate_record
from sotabench.server.accounts.models import User
from sotabench.server.benchmarks.figures import figures_of, rank_value
from sotabench.server.benchmarks.models import Benchmark, Figure, Result, Tier
from sotabench.server.benchmarks.services import benchmark_of
from sotabench.server.benchmarks.texts import fitting
from sotabench.server.builds.models import Build
from sotabench.server.builds.services import create_build, move
from sotabench.server.errors import Invalid
from sotabench.server.papers.spelling import arxiv_id, model_key, pwc_id
from sotabench.server.repositories.models import Repository

MOST_RECORDS = 200
MOST_SAMPLES = 2**31 - 1
PREDICTIONS = "predictions"
"""The folder of the predictions files, below that of all files."""

UNNAMED = "unnamed model"


@dataclass(frozen=True)
class Submission:
    """What somebody sends for one commit: a JSON list of records, and the files that they name."""

    commit: str
    content: bytes
    files: Mapping[str, Path] = field(default_factory=dict)
    branch: str = ""


@dataclass(frozen=True)
class Checked:
    """A submission whose records and files are what they have to be; `stored` says where each file is kept already."""

    commit: str
    branch: str
    records: Sequence[Mapping[str, Any]]
    stored: Mapping[str, str]


def submit_records(user: User, repository: Repository, submission: Submission) -> Build:
    """A finished build with a self-reported result for each record; raises as the two steps that it is made of."""
    return store_submission(user, repository, check_submission(submission))


def check_submission(submission: Submission) -> Checked:
    """The submission, looked at as a whole, and its files kept.

    It takes as long as the files are large, so no transaction may be open: on SQLite nobody else could write. Raises
    Invalid, naming the record and the rule; files that were kept by then are swept.
    """
    records = checked_records(submission.content)
    _check_commits(records, submission.commit)
    return Checked(submission.commit, submission.branch, records, _keep_files(records, submission.files))


@transaction.atomic
def store_submission(user: User, repository: Repository, checked: Checked) -> Build:
    """A finished build with a self-reported result for each record.

    A result of the same model on the same benchmark that was current is superseded, unless it is verified. Raises
    Forbidden, or Invalid, naming the record and the rule; then nothing was stored.
    """
    build = create_build(repository, user, commit=checked.commit, origin=Build.Origin.SUBMITTED, branch=checked.branch)
    results = [_add_result(build, record, checked.stored) for record in checked.records]
    _supersede(results)
    move(build, Build.Status.FINISHED)
    return build


def checked_records(content: bytes) -> list[dict[str, Any]]:
    """The records in a JSON list that a stranger sent. Raises Invalid, naming the record and the rule."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "records.json"
        path.write_bytes(content)
        try:
            records = read_records(path, max_records=MOST_RECORDS)
        except InvalidRecord as error:
            raise Invalid(str(error).replace(str(path), "the records")) from error
    if not records:
        raise Invalid("expected at least one record, found none")
    for number, record in enumerate(records):
        try:
            validate_record(record)
        except InvalidRecord as error:
            raise Invalid(f"record {number}: {error}") from error
        if (record.get("samples") or 0) > MOST_SAMPLES:
            raise Invalid(f"record {number}: expected at most {MOST_SAMPLES} samples, found {record['samples']}")
    texts = [json.dumps(record, sort_keys=True) for record in records]
    if len(set(texts)) < len(texts):
        raise Invalid("expected every record once, found one twice")
    return records


def _check_commits(records: Sequence[Mapping[str, Any]], commit: str) -> None:
    for number, record in enumerate(records):
        environment = record.get("environment")
        git = environment.get("git") if isinstance(environment, dict) else None
        found = git.get("commit") if isinstance(git, dict) else None
        if found is not None and found != commit:
            raise Invalid(f"record {number}: expected one of commit {commit}, found one of {printable(str(found), 64)}")


def _keep_files(records: Sequence[Mapping[str, Any]], files: Mapping[str, Path]) -> dict[str, str]:
    """Where each predictions file is kept, by its SHA-256; they are checked to be what the records say."""
    naming = [record for record in records if record.get("predictions")]
    named = {record["predictions"]["name"]: record for record in naming}
    if len(named) < len(naming):
        raise Invalid("expected every record to name a predictions file of its own, found one name twice")
    if strange := sorted(files.keys() - named.keys()):
        raise Invalid(f"expected files that a record names as its predictions, found {printable(strange[0], 100)!r}")
    kept = {}
    for name, path in files.items():
        record = named[name]
        sha256 = record["predictions"]["sha256"]
        try:
            predictions = read_predictions(path, sha256=sha256)
        except InvalidPredictions as error:
            raise Invalid(f"{name}: {str(error).replace(str(path), name)}") from error
        if len(predictions) != record.get("samples"):
            raise Invalid(f"{name}: expected {record.get('samples')} predictions, found {len(predictions)}")
        kept[sha256] = keep_file(path, sha256)
    return kept


def keep_file(path: Path, sha256: str) -> str:
    """The name under which the file is kept: its digest, so that equal files are kept once.

    One that is there already is touched: it is wanted, even if no result names it yet.
    """
    name = f"{PREDICTIONS}/{sha256[:2]}/{sha256}.npz"
    kept = Path(default_storage.path(name))
    if kept.exists():
        kept.touch()
    else:
        with path.open("rb") as file:
            default_storage.save(name, File(file))
    return name


def _add_result(build: Build, record: Mapping[str, Any], stored: Mapping[str, str]) -> Result:
    benchmark = benchmark_of(record)
    _check_metrics(record, benchmark)
    text = json.dumps(record, ensure_ascii=False)
    sha256 = (record.get("predictions") or {}).get("sha256", "")
    figures = figures_of(record, benchmark, tier=Tier.SELF_REPORTED)
    name = fitting((record.get("model") or "").strip(), 300) or UNNAMED
    declared = record.get("declared")
    extra = declared.get("extra_training_data") if isinstance(declared, dict) else None
    result = Result.objects.create(
        build=build,
        repository=build.repository,
        benchmark=benchmark,
        model_name=name,
        model_key=model_key(name),
        tier=Tier.SELF_REPORTED,
        rank_value=rank_value(figures, benchmark),
        samples=record.get("samples"),
        arxiv_id=arxiv_id(record.get("arxiv_id") or ""),
        pwc_id=pwc_id(record.get("pwc_id") or ""),
        extra_training_data=extra if isinstance(extra, bool) else None,
        record=text,
        record_sha256=hashlib.sha256(text.encode()).hexdigest(),
        predictions=stored.get(sha256, ""),
        predictions_sha256=sha256 if sha256 in stored else "",
    )
    for figure in figures:
        figure.result = result
    Figure.objects.bulk_create(figures)
    return result


def _check_metrics(record: Mapping[str, Any], benchmark: Benchmark) -> None:
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


def _supersede(results: Sequence[Result]) -> None:
    new = [result.pk for result in results]
    for result in results:
        earlier = Result.objects.filter(
            repository=result.repository,
            benchmark=result.benchmark,
            model_name=result.model_name,
            superseded_by=None,
            tier=Tier.SELF_REPORTED,
        )
        earlier.exclude(pk__in=new).update(superseded_by=result)
