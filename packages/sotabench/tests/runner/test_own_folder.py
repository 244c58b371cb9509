"""A runner's folder belongs to one runner at a time, and what a killed one left does not stay."""

import os
import subprocess
import sys
import threading

import pytest

from sotabench.runner.folder import own_folder
from sotabench.runner.sandbox import remove

HOLDER = """
import sys, threading
from pathlib import Path
from sotabench.runner.folder import own_folder
with own_folder(Path(sys.argv[1]), threading.Event()):
    print("mine", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def holder(tmp_path):
    arguments = [sys.executable, "-c", HOLDER, str(tmp_path)]
    process = subprocess.Popen(arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "mine\n"
    yield process
    process.kill()
    process.communicate()


def test_attempts_that_a_killed_runner_left_are_removed(tmp_path):
    left = tmp_path / "slots" / "0" / "repository"
    left.mkdir(parents=True)
    (left / "link").symlink_to("/")
    with own_folder(tmp_path, threading.Event()) as is_ours:
        assert is_ours
        assert not (tmp_path / "slots" / "0").exists()


def test_runner_waits_for_the_one_before_it_until_that_is_dead(tmp_path, holder):
    threading.Timer(0.7, holder.kill).start()
    with own_folder(tmp_path, threading.Event()) as is_ours:
        assert is_ours
        assert holder.wait(20) != 0


def test_runner_that_is_told_to_end_waits_no_longer_and_touches_nothing(tmp_path, holder):
    told, theirs = threading.Event(), tmp_path / "slots" / "0"
    theirs.mkdir(parents=True)
    threading.Timer(0.7, told.set).start()
    with own_folder(tmp_path, told) as is_ours:
        assert not is_ours
    assert theirs.exists()


def test_folder_that_a_build_made_deeper_than_python_goes_is_removed_all_the_same(tmp_path):
    make = "import os\nfor _ in range(3000):\n    os.mkdir('d')\n    os.chdir('d')\n"
    left = tmp_path / "slots" / "0"
    left.mkdir(parents=True)
    subprocess.run([sys.executable, "-c", make], cwd=left, check=True)
    with own_folder(tmp_path, threading.Event()):
        assert not left.exists()


@pytest.mark.skipif(os.geteuid() == 0, reason="nothing is closed to root")
def test_folder_that_a_build_closed_is_removed_all_the_same(tmp_path):
    (tmp_path / "a" / "closed" / "deep").mkdir(parents=True)
    (tmp_path / "a" / "closed").chmod(0)
    remove(tmp_path / "a")
    assert not (tmp_path / "a").exists()
