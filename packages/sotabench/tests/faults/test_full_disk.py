"""A disk that is full: the site answers and says so, builds end, and nothing half written is taken for whole."""

import contextlib
import os
import subprocess
import tempfile
import time
import urllib.request
from pathlib import Path

import pytest
from faults.world import wait_for

from sotabench.runner.sandbox.watchdog import DISK_LEFT, disk_left

SITES, RUNNERS = 200 << 20, DISK_LEFT + (400 << 20)  # bytes of their disks: a runner leaves the machine some


@pytest.fixture
def disk():
    """Mounts a small disk at a folder; unmounted at the end."""
    with contextlib.ExitStack() as stack:

        def mounted(folder, size):
            folder.mkdir(mode=0o711)
            done = subprocess.run(
                ["mount", "-t", "tmpfs", "-o", f"size={size},mode=711", "tmpfs", str(folder)],
                capture_output=True, text=True, check=False,
            )  # fmt: skip
            if done.returncode:
                pytest.skip(f"expected to mount a small disk, found: {done.stderr.strip()}")
            stack.callback(subprocess.run, ["umount", "-l", str(folder)], check=True)
            return folder

        yield mounted


@pytest.fixture
def folder(sandbox):
    with tempfile.TemporaryDirectory(prefix="sotabench-faults-", ignore_cleanup_errors=True) as folder:
        yield Path(folder)


def fill(disk, *, leave=0):
    """Leave not a byte, or this many; whoever runs there meanwhile may take some of the last ones."""
    with (disk / "filling").open("wb") as file:
        while (left := disk_left(disk) - leave) > 0:
            with contextlib.suppress(OSError):  # somebody took some since they were counted
                os.posix_fallocate(file.fileno(), file.seek(0, os.SEEK_END), left)


def free(disk):
    (disk / "filling").unlink()


def page(world):
    with urllib.request.urlopen(f"{world.address}/", timeout=30) as answer:
        return answer.status


@pytest.fixture
def full(make_world, folder, disk):
    """A site, a runner that has built once, and the runner's disk."""
    runners = disk(folder / "runner", RUNNERS)
    world = make_world(folder)
    world.add("plain")
    world.add("waits", waits="evaluate")
    world.start_site("--no-runner")
    runner = world.start_runner(world.address, world.clerk.ask("token", "lab"))
    [build] = world.until_final([world.build("plain")])
    assert build["status"] == "finished", build
    yield world, runners
    world.check_nothing_is_left()
    runner.kill()


def test_runner_whose_disk_is_full_takes_no_build_and_says_so_until_it_has_room(full):
    world, runners = full
    fill(runners, leave=DISK_LEFT // 2)
    wait_for(lambda: "the runner's disk is full" in world.clerk.ask("trouble", "lab"), why="the site is told")
    key = world.build("plain")
    time.sleep(3)
    [build] = world.clerk.ask("builds", [key])
    assert (build["status"], build["attempts"]) == ("queued", []), build
    assert page(world) == 200
    free(runners)
    [build] = world.until_final([key])
    assert (build["status"], len(build["attempts"])) == ("finished", 1), build
    assert world.clerk.ask("trouble", "lab") == ""


def test_build_stopped_by_a_disk_that_fills_waits_for_room_and_then_is_tried_again(full):
    world, runners = full
    key = world.build("waits")
    wait_for(lambda: world.reached("evaluate"), why="the build runs")
    fill(runners, leave=DISK_LEFT // 2)
    wait_for(lambda: world.clerk.ask("trouble", "lab"), why="the site is told")
    [build] = world.clerk.ask("builds", [key])
    assert build["status"] == "queued", build
    assert "the machine's disk had" in build["attempts"][0]["outcome"]
    free(runners)
    [build] = world.until_final([key])
    assert (build["status"], build["calls"], len(build["attempts"])) == ("finished", ["Net 0"], 2), build


def test_site_whose_disk_is_full_answers_says_so_and_keeps_nothing_by_half(make_world, folder, disk):
    data = disk(folder / "data", SITES)
    world = make_world(folder, SOTABENCH_LEASE_SECONDS="8")
    world.add("waits", waits="evaluate", calls=2)
    world.start_site("--no-runner")
    runner = world.start_runner(world.address, world.clerk.ask("token", "lab"))
    key = world.build("waits")
    wait_for(lambda: world.reached("evaluate"), why="the build runs")
    fill(data)
    world.let_go()
    wait_for(lambda: not world.pids_inside(), why="the runner gives up, or has handed in all")
    assert world.health() == 503
    assert page(world) == 200
    free(data)
    wait_for(world.is_well, why="the site is well")
    [build] = world.until_final([key])
    assert (build["status"], build["calls"]) == ("finished", ["Net 0", "Net 1"])
    world.check_nothing_is_left()
    runner.kill()
