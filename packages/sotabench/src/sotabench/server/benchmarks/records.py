"""A result's record, read again."""

import json
from typing import Any

from sotabench.server.benchmarks.models import Result


def record_of(result: Result) -> dict[str, Any]:
    """The record as it came; it was checked when it came, and is a stranger's text all the same."""
    record: dict[str, Any] = json.loads(result.record)
    return record
