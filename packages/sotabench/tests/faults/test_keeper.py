"""The runner beside a site: there again after it dies, gone when the site is."""

import os
import signal
import sqlite3
from pathlib import Path

import pytest
from faults.world import check_logs, children, wait_for


@pytest.fixture
def world(make_world):
    world = make_world(SOTABENCH_LEASE_SECONDS="60")
    world.add("waits", waits="evaluate")
    world.start_site()
    return world


def runner_of(world):
    """The pid of the runner beside the site, if there is one."""
    for worker in children(world.site.pid):
        for child in children(worker):
            if "\0runner\0" in Path(f"/proc/{child}/cmdline").read_text():
                return child
    return 0


def is_gone(pid):
    return not Path(f"/proc/{pid}").exists()


def at_work(world):
    """A build that runs and waits, and the runner that has it."""
    world.change("waits")
    key = world.build("waits")
    wait_for(lambda: world.reached("evaluate"), why="the build runs")
    return key, runner_of(world)


def check_ended(world, key):
    [build] = world.until_final([key])
    assert (build["status"], build["calls"]) == ("finished", ["Net 0"])
    check_logs(world, [key])
    world.check_nothing_is_left()
    return build


def test_killed_runner_is_started_again_and_ends_what_it_had(world):
    key, runner = at_work(world)
    os.kill(runner, signal.SIGKILL)
    wait_for(lambda: runner_of(world) not in {0, runner}, why="another runner")
    assert len(check_ended(world, key)["attempts"]) == 2


def test_server_process_that_is_killed_takes_its_runner_along_and_the_next_brings_one(world):
    key, runner = at_work(world)
    [worker] = children(world.site.pid)
    os.kill(worker, signal.SIGKILL)
    wait_for(lambda: is_gone(runner), why="the runner ends", patience=20)
    assert len(check_ended(world, key)["attempts"]) == 2


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_runner_does_not_outlive_its_site(world, number):
    key, runner = at_work(world)
    os.kill(world.site.pid, number) if number == signal.SIGTERM else os.killpg(world.site.pid, number)
    world.site.wait(40)
    wait_for(lambda: is_gone(runner), why="the runner ends", patience=20)
    wait_for(lambda: not world.pids_inside(), why="nothing inside is alive", patience=20)
    world.start_site()
    check_ended(world, key)


@pytest.mark.skipif(bool(os.environ.get("DATABASE_URL")), reason="SQLite's locks")
def test_runner_comes_back_although_the_database_was_locked_when_it_died(world):
    with sqlite3.connect(world.data / "database.sqlite3", isolation_level=None) as database:
        database.execute("BEGIN EXCLUSIVE")
        os.kill(runner_of(world), signal.SIGKILL)
        wait_for(lambda: "database is locked; started again" in world.said("site"), why="it could not be started")
        database.execute("ROLLBACK")
    database.close()
    check_ended(world, world.build("waits"))
