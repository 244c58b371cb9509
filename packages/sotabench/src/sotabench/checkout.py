"""The repository that `sb` is called in: its `sotabench.py`, its commit, and the records it writes."""

import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchrecord import InvalidRecord, read_records, validate_record
from sotabench.errors import Unusable

RECORDS = "sotabench-results.json"
REQUIRED = ("sotabench.py", "requirements.txt")
_SSH = re.compile(r"(?:ssh://)?[^@/\s]+@(?P<host>[^:/\s]+)(?::[0-9]+/|[:/])(?P<path>\S+)")


@dataclass(frozen=True)
class Found:
    """Records, and the predictions files that they name beside them."""

    records: list[dict[str, Any]]
    files: list[Path]


def check_files(folder: Path) -> None:
    """Raise Unusable unless the files that a repository needs are there."""
    if missing := [name for name in REQUIRED if not (folder / name).is_file()]:
        raise Unusable(f"expected {' and '.join(REQUIRED)} in {str(folder)!r}, found no {missing[0]}")


def run_evaluation(folder: Path, environment: Mapping[str, str]) -> int:
    """Run `sotabench.py` with this interpreter, its output shown as it comes; its exit code."""
    check_files(folder)
    done = subprocess.run([sys.executable, "sotabench.py"], cwd=folder, env={**os.environ, **environment}, check=False)
    return done.returncode if done.returncode >= 0 else 128 - done.returncode


def check_evaluation(folder: Path, mode: str) -> tuple[int, list[dict[str, Any]]]:
    """Run `sotabench.py` as a check: its exit code, and the records that it wrote, if it wrote any."""
    with tempfile.TemporaryDirectory() as kept:
        path = Path(kept) / RECORDS
        code = run_evaluation(folder, {"SOTABENCH_CHECK": mode, "SOTABENCH_STORE_FILENAME": str(path)})
        return code, _read(path) if path.exists() else []


def find_records(paths: Sequence[Path]) -> Found:
    """The records in these files. Raises Unusable for what is no record, and for a predictions file that is missing."""
    found = Found([], [])
    for path in paths:
        for number, record in enumerate(_read(path)):
            try:
                validate_record(record)
            except InvalidRecord as error:
                raise Unusable(f"{path}: record {number}: {error}") from error
            found.records.append(record)
            if named := record.get("predictions"):
                found.files.append(_beside(path, named["name"]))
    return found


def commit_of(folder: Path) -> str:
    """The full name of the commit that is checked out. Raises Unusable where there is none."""
    return _git(folder, "rev-parse", "HEAD", otherwise="say which with --commit")


def branch_of(folder: Path) -> str:
    """The branch that is checked out; empty when none is."""
    branch = _git(folder, "rev-parse", "--abbrev-ref", "HEAD", otherwise="say which commit with --commit")
    return "" if branch == "HEAD" else branch


def repository_of(folder: Path) -> str:
    """`host/owner/name` of the remote `origin`. Raises Unusable where there is none."""
    advice = "say which with --repository owner/name"
    url = _git(folder, "remote", "get-url", "origin", otherwise=advice)
    if found := _SSH.fullmatch(url):
        url = f"{found['host']}/{found['path']}"
    plain = re.sub(r"^https?://(?:[^/]*@)?", "", url).removesuffix("/").removesuffix(".git")
    if "://" in plain or plain.count("/") < 2 or plain.startswith(("/", ".")):
        raise Unusable(f"expected origin to be a repository on a git host, found {plain!r}; {advice}")
    return plain


def _git(folder: Path, *arguments: str, otherwise: str) -> str:
    try:
        done = subprocess.run(["git", *arguments], cwd=folder, capture_output=True, text=True, check=True)  # noqa: S603, S607 - git as the person has it
    except (OSError, subprocess.CalledProcessError) as error:
        said = (getattr(error, "stderr", "") or str(error)).strip().splitlines()[-1]
        raise Unusable(f"expected a git checkout in {str(folder)!r}, found: {said}; {otherwise}") from error
    return done.stdout.strip()


def _read(path: Path) -> list[dict[str, Any]]:
    try:
        return read_records(path)
    except (InvalidRecord, OSError) as error:
        raise Unusable(f"{path}: {error}; `sb run` writes the records") from error


def _beside(path: Path, name: str) -> Path:
    file = path.with_name(name)
    if not file.is_file():
        raise Unusable(f"expected the predictions file {name} beside {path}, found none; keep the two together")
    return file
