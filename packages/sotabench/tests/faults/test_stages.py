"""Whoever is killed, at whatever stage: the build ends, its results are there once, and nothing is left of it."""

import os
import signal
import threading
import time

import pytest
from faults.door import Cut
from faults.world import check_logs, children, wait_for

STAGES = ("checkout", "environment", "setup", "weights", "evaluate", "calls", "collect", "end")
"""Where a build is caught: after the runner told of a stage, in a process inside, or before it hears an answer."""
INSIDE = {"setup", "weights", "evaluate"}
OUTSIDE = set(STAGES) - INSIDE


@pytest.fixture(scope="module")
def world(make_world):
    world = make_world(SOTABENCH_LEASE_SECONDS="30")
    for stage in STAGES:
        world.add(stage, waits=stage if stage in INSIDE else "", calls=2)
    world.start_site("--no-runner")
    world.token = world.clerk.ask("token", "lab")
    return world


class Caught:
    """A build at each stage, and a runner that has all of them."""

    def __init__(self, world, door):
        self.world, self._held, self._go = world, set(), threading.Event()
        door.heard = self._hold
        self._runner_of = lambda: world.start_runner(door.url, world.token, slots=len(STAGES))
        world.change("weights")  # whose file would not run again
        self.keys = [world.build(stage) for stage in STAGES]
        self.runner = self._runner_of()
        wait_for(lambda: self._held >= OUTSIDE, why="builds are held")
        for stage in INSIDE:
            wait_for(lambda stage=stage: world.reached(stage), why=stage)

    def _hold(self, said):
        is_held = said.repository in OUTSIDE and said.repository in {said.call, said.stage}
        if is_held and not self._go.is_set():
            self._held.add(said.repository)
            self._go.wait()
            raise Cut  # the answer is lost

    def go_on(self):
        self._go.set()
        return {build["name"]: build for build in self.world.until_final(self.keys)}

    def next_runner(self):
        self.runner = self._runner_of()

    def stop(self):
        self._go.set()
        self.runner.kill()
        self.runner.wait(20)


@pytest.fixture
def caught(world, door):
    found = Caught(world, door)
    yield found
    found.stop()


def check(world, caught, builds, attempts):
    """Every build finished after so many attempts, with each result once, and nothing is left."""
    assert {name: build["status"] for name, build in builds.items()} == dict.fromkeys(STAGES, "finished")
    assert {name: len(build["attempts"]) for name, build in builds.items()} == attempts, builds
    assert {name: build["calls"] for name, build in builds.items()} == {name: ["Net 0", "Net 1"] for name in STAGES}
    assert not any(attempt["is_open"] for build in builds.values() for attempt in build["attempts"])
    assert set(world.clerk.ask("currents")) == {1}
    check_logs(world, caught.keys)
    world.check_nothing_is_left()


ONCE = dict.fromkeys(STAGES, 1)
TWICE = dict.fromkeys(STAGES, 2) | {"end": 1}  # that one was finished, though its runner never heard of it


def test_killed_runner_leaves_nothing_and_its_builds_are_tried_again_at_once(world, caught):
    caught.runner.kill()
    caught.runner.wait(20)
    wait_for(lambda: not world.pids_inside(), why="nothing inside is alive", patience=20)
    caught.next_runner()
    builds = caught.go_on()
    check(world, caught, builds, TWICE)
    assert "began anew" in builds["evaluate"]["attempts"][0]["outcome"]


def test_runner_that_is_stopped_says_so_and_its_builds_are_tried_again(world, caught):
    caught.runner.terminate()
    time.sleep(0.5)  # two signals at once are one
    caught.runner.terminate()
    wait_for(lambda: not world.pids_inside(), why="nothing inside is alive", patience=20)
    caught._go.set()
    assert caught.runner.wait(60) == 0
    caught.next_runner()
    builds = caught.go_on()
    assert {build["status"] for build in builds.values()} == {"finished"}
    assert "the runner was stopped" in builds["evaluate"]["attempts"][0]["outcome"]
    check(world, caught, builds, {name: len(build["attempts"]) for name, build in builds.items()})


def test_runner_that_is_told_to_end_ends_what_it_has(world, caught):
    caught.runner.terminate()
    check(world, caught, caught.go_on(), ONCE)
    assert caught.runner.wait(60) == 0


def test_site_that_is_killed_and_comes_back_loses_nothing(world, caught):
    os.killpg(world.site.pid, signal.SIGKILL)
    world.site.wait(20)
    world.start_site("--no-runner")
    check(world, caught, caught.go_on(), ONCE)


def test_server_process_that_is_killed_is_replaced_and_nothing_is_lost(world, caught):
    for worker in children(world.site.pid):
        os.kill(worker, signal.SIGKILL)
    wait_for(world.is_well, why="a new process answers")
    check(world, caught, caught.go_on(), ONCE)


def test_site_and_runner_that_are_killed_together_lose_no_build(world, caught):
    caught.runner.kill()
    os.killpg(world.site.pid, signal.SIGKILL)
    caught.runner.wait(20)
    world.site.wait(20)
    world.start_site("--no-runner")
    caught.next_runner()
    check(world, caught, caught.go_on(), TWICE)
