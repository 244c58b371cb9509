"""A repository's own cache of packages, which its own code can write, does not grow until nothing can be built."""

import contextlib
import os
import threading
from dataclasses import replace
from pathlib import Path

import pytest

from benchrecord.files import exclusive_lock
from sotabench.errors import Failed
from sotabench.runner.environment import make_environment, run_setup
from sotabench.runner.installing import LIMITS

SMALL = replace(LIMITS, disk=32_000_000, files=2_000)
EMPTIED = "its cache was emptied: the next build begins without it"


@pytest.fixture
def set_up(checked_out, store):
    """Runs a setup script, in the same repository every time."""

    def run(script):
        workplace = checked_out({"requirements.txt": "", "sotabench_setup.sh": script})
        run_setup(workplace, make_environment(workplace, store), limits=SMALL)
        return workplace

    return run


FILLS = {
    "bytes": "head -c 17000000 /dev/urandom > /work/uv/left",
    "files": "for n in $(seq 1100); do : > /work/uv/left$n; done",
    "levels": "cd /work/uv; for n in $(seq 600); do mkdir left; cd left; done",
}


@pytest.mark.parametrize("fill", FILLS.values(), ids=FILLS)
def test_cache_of_packages_above_half_the_limit_is_emptied_before_the_stage(set_up, fill, log):
    set_up(f"set -e\n{fill}\n")
    workplace = set_up("set -e\nls /work/uv; ! ls /work/uv | grep left\n")
    assert not list(workplace.kept.glob("uv/left*"))
    assert "The repository's cache of packages was emptied" in log.text


def test_cache_of_packages_with_paths_longer_than_the_machine_takes_is_emptied_before_the_stage(set_up, workplace, log):
    folder = workplace.kept / "uv"
    folder.mkdir(parents=True)
    with contextlib.chdir(folder):
        for _ in range(16):
            Path("left" + 250 * "d").mkdir()
            os.chdir("left" + 250 * "d")
        for length in range(1, 256):
            Path("x" * length).touch()
    set_up("set -e\nls /work/uv; ! ls /work/uv | grep left\n")
    assert "The repository's cache of packages was emptied" in log.text


def test_cache_of_packages_below_half_the_limit_stays(set_up):
    set_up("set -e\nhead -c 15000000 /dev/urandom > /work/uv/left\n")
    assert (set_up("ls -l /work/uv/left\n").kept / "uv/left").stat().st_size == 15_000_000


def test_setup_script_that_is_stopped_for_its_disk_begins_with_an_empty_cache_the_next_time(set_up):
    with pytest.raises(Failed, match=f"sotabench_setup.sh: stopped at .*; {EMPTIED}"):
        set_up("head -c 40000000 /dev/urandom > /work/uv/left; sleep 60\n")
    set_up("! ls /work/uv | grep left\n")


def test_build_that_is_stopped_waits_no_longer_for_another_ones_packages(set_up, workplace):
    workplace.kept.mkdir(parents=True)
    with exclusive_lock(workplace.kept / "uv.lock"):
        threading.Timer(1.0, workplace.stop.set).start()
        with pytest.raises(Failed, match="stopped while it waited for another build"):
            set_up("true\n")


SPOILS = {
    "closed": "mkdir -p /work/uv/cache; chmod 0 /work/uv/cache",
    "a file": "rm -rf /work/uv/cache; : > /work/uv/cache",
    "a pipe": "rm -rf /work/uv/cache/.lock; mkdir -p /work/uv/cache; mkfifo -m 0 /work/uv/cache/.lock",
}


@pytest.mark.parametrize("spoil", SPOILS.values(), ids=SPOILS)
def test_cache_of_packages_that_a_build_spoilt_fails_the_next_build_alone(set_up, checked_out, store, spoil):
    with contextlib.suppress(Failed):
        set_up(f"{spoil}\n")
    workplace = checked_out({"requirements.txt": "./\n", "pyproject.toml": "[build-system]\nrequires = []\n"})
    for _ in range(2):
        with pytest.raises(Failed, match="requirements.txt cannot be installed") as failed:
            make_environment(workplace, store)
    assert "/work/uv/cache" not in str(failed.value)


def test_setup_script_that_is_a_link_to_no_possible_name_is_none(checked_out, store):
    workplace = checked_out({"requirements.txt": ""})
    (workplace.repository / "sotabench_setup.sh").symlink_to("x" * 300)
    environment = make_environment(workplace, store)
    assert run_setup(workplace, environment) == environment
