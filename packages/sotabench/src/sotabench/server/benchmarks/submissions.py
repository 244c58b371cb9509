"""Results that were computed elsewhere come in: every record of a submission or none, all marked self-reported."""

import json
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from django.db import transaction
from django.db.models import Sum

from benchrecord import InvalidPredictions, InvalidRecord, printable, read_predictions, read_records, validate_record
from sotabench.server.accounts.models import User
from sotabench.server.benchmarks.models import Result, Tier
from sotabench.server.benchmarks.results import (
    Kept,
    add_result,
    check_commit,
    check_metrics,
    check_size,
    keep_file,
    supersede,
)
from sotabench.server.benchmarks.services import benchmark_like, benchmark_of
from sotabench.server.builds.models import Build
from sotabench.server.builds.services import check_commit_name, create_build, move
from sotabench.server.errors import Conflict, Invalid
from sotabench.server.repositories.models import Repository

MOST_RECORDS = 200
MOST_SAMPLES = 2**31 - 1
MOST_BYTES_A_USER = 16 << 30
"""Of records and predictions that a user submits, all repositories together."""


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
    stored: Mapping[str, Kept]


def submit_records(user: User, repository: Repository, submission: Submission) -> Build:
    """A finished build with a self-reported result for each record; raises as the two steps that it is made of."""
    return store_submission(user, repository, check_submission(user, submission))


def check_submission(user: User, submission: Submission) -> Checked:
    """The submission, looked at as a whole, and its files kept: they count as its user's once there are results.

    It takes as long as the files are large, so no transaction may be open: on SQLite nobody else could write. Raises
    Conflict when the user has sent too much already, and Invalid, naming the record and the rule, with nothing kept.
    """
    _check_room(user, submission)
    check_commit_name(submission.commit)
    records = checked_records(submission.content)
    _check_each(records, submission.commit)
    return Checked(submission.commit, submission.branch, records, _keep_files(records, submission.files))


@transaction.atomic
def store_submission(user: User, repository: Repository, checked: Checked) -> Build:
    """A finished build with a self-reported result for each record.

    A result of the same model on the same benchmark that was current is superseded, unless it is verified. Raises
    Forbidden, or Invalid, naming the record and the rule; then nothing was stored.
    """
    build = create_build(repository, user, commit=checked.commit, origin=Build.Origin.SUBMITTED, branch=checked.branch)
    results = [_add_result(build, record, checked.stored) for record in checked.records]
    for result in results:
        supersede(result, tiers=[Tier.SELF_REPORTED])
    move(build, Build.Status.FINISHED)
    return build


def _check_room(user: User, submission: Submission) -> None:
    sent = Result.objects.filter(repository__owner=user, tier=Tier.SELF_REPORTED)
    left = max(0, MOST_BYTES_A_USER - (sent.aggregate(total=Sum("stored_bytes"))["total"] or 0))
    size = len(submission.content) + sum(path.stat().st_size for path in submission.files.values())
    if size > left:
        raise Conflict(
            f"expected at most {left} more bytes of {user}'s results, found {size}; send records without predictions, "
            "or ask the site's owner to delete old ones"
        )


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


def _check_each(records: Sequence[Mapping[str, Any]], commit: str) -> None:
    for number, record in enumerate(records):
        try:
            check_size(record)
            check_commit(record, commit)
            check_metrics(record, benchmark_like(record))
        except Invalid as error:
            raise Invalid(f"record {number}: {error}") from error


def _keep_files(records: Sequence[Mapping[str, Any]], files: Mapping[str, Path]) -> dict[str, Kept]:
    """Each predictions file as it is kept, by its SHA-256, once all of them are what the records say."""
    naming = [record for record in records if record.get("predictions")]
    named = {record["predictions"]["name"]: record for record in naming}
    if len(named) < len(naming):
        raise Invalid("expected every record to name a predictions file of its own, found one name twice")
    if strange := sorted(files.keys() - named.keys()):
        raise Invalid(f"expected files that a record names as its predictions, found {printable(strange[0], 100)!r}")
    for name, path in files.items():
        _check_file(name, path, named[name])
    digests = {named[name]["predictions"]["sha256"]: path for name, path in files.items()}
    return {sha256: keep_file(path, sha256) for sha256, path in digests.items()}


def _check_file(name: str, path: Path, record: Mapping[str, Any]) -> None:
    try:
        predictions = read_predictions(path, sha256=record["predictions"]["sha256"])
    except InvalidPredictions as error:
        raise Invalid(f"{name}: {str(error).replace(str(path), name)}") from error
    if len(predictions) != record.get("samples"):
        raise Invalid(f"{name}: expected {record.get('samples')} predictions, found {len(predictions)}")
    mapped = record.get("target_map")
    if mapped is not None and len(mapped) != predictions.number_of_classes:
        raise Invalid(
            f"{name}: expected a target_map over its {predictions.number_of_classes} classes, found {len(mapped)}"
        )


def _add_result(build: Build, record: Mapping[str, Any], stored: Mapping[str, Kept]) -> Result:
    sha256 = (record.get("predictions") or {}).get("sha256", "")
    kept = stored.get(sha256, Kept())
    return add_result(build, record, benchmark_of(record), tier=Tier.SELF_REPORTED, kept=kept)
