"""A file written for the predecessor's evaluator, with a loop of its own, runs in a process of its own."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from benchrecord import validate_record
from torchbench.image_classification import ImageNet

FILE = Path(__file__).parent.parent / "files" / "own_loop_sotabench.py"


@pytest.fixture
def repository(tmp_path):
    folder = tmp_path / "repository"
    folder.mkdir()
    shutil.copy(FILE, folder / "sotabench.py")
    return folder


def run(repository, *arguments, **variables):
    kept = {name: value for name, value in os.environ.items() if not name.startswith("SOTABENCH_")}
    done = subprocess.run(
        [sys.executable, "sotabench.py", *map(str, arguments)], cwd=repository, capture_output=True, text=True,
        env=kept | {name: str(value) for name, value in variables.items()}, timeout=280, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_file_with_its_own_loop_runs_and_leaves_a_record(repository, photographs, tmp_path):
    shown = run(repository, photographs, SOTABENCH_STORE_FILENAME="results.json", XDG_CACHE_HOME=tmp_path)
    (record,) = json.loads((repository / "results.json").read_text())
    validate_record(record)
    assert (record["model"], record["arxiv_id"], record["samples"]) == ("MobileNet V3 small", "1905.02244", 20)
    assert record["dataset"]["complete"] is False
    assert "a SUBSET of 20 of 50,000 images" in shown
    assert "batches 3\n" in shown
    assert f"Top 1 Accuracy {record['results']['Top 1 Accuracy']}\n" in shown
    assert "Tasks / Evaluation Time " in shown


def test_on_a_platform_the_same_file_finds_the_platforms_data_and_is_scored_later(repository, photographs, tmp_path):
    (repository / ImageNet.data_root).parent.mkdir(parents=True)
    (repository / ImageNet.data_root).symlink_to(photographs)
    shown = run(
        repository, SOTABENCH_SERVER="true", SOTABENCH_SEALED=1, SOTABENCH_STORE_FILENAME="results.json",
        XDG_CACHE_HOME=tmp_path,
    )  # fmt: skip
    (record,) = json.loads((repository / "results.json").read_text())
    assert (record["results"], record["samples"], record["dataset"]["sealed"]) == ({}, 20, True)
    assert "scored by the platform" in shown
    assert "Top 1 Accuracy nan\n" in shown


def test_a_check_ends_the_loop_after_its_first_batch(repository, photographs, tmp_path):
    shown = run(repository, photographs, SOTABENCH_CHECK="full", XDG_CACHE_HOME=tmp_path)
    assert "batches 1\n" in shown
    assert "checked, not scored" in shown
