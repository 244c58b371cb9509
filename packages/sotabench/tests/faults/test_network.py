"""The network between runner and site: a short cut loses nothing, a long one costs the attempt."""

import time

import pytest
from faults.world import check_logs, wait_for

LEASE = 6


@pytest.fixture(scope="module")
def world(make_world):
    world = make_world(SOTABENCH_LEASE_SECONDS=str(LEASE))
    world.add("waits", waits="evaluate", calls=2)
    world.start_site("--no-runner")
    world.token = world.clerk.ask("token", "lab")
    return world


@pytest.fixture
def at_work(world, door):
    """A build that waits in its evaluation, with its runner behind the door."""
    runner = world.start_runner(door.url, world.token)
    key = world.build("waits")
    wait_for(lambda: world.reached("evaluate"), why="the build runs")
    yield key
    door.open.set()
    runner.kill()
    runner.wait(20)


def ended(world, key):
    [build] = world.until_final([key])
    assert (build["status"], build["calls"]) == ("finished", ["Net 0", "Net 1"])
    assert set(world.clerk.ask("currents")) == {1}
    check_logs(world, [key])
    world.check_nothing_is_left()
    return build


@pytest.mark.parametrize("silent", [True, False], ids=["silent", "refused"])
def test_short_cut_loses_nothing(world, door, at_work, silent):
    door.shut(silent=silent)
    time.sleep(1)
    world.let_go()
    time.sleep(1)
    door.open.set()
    assert len(ended(world, at_work)["attempts"]) == 1


@pytest.mark.parametrize("silent", [True, False], ids=["silent", "refused"])
def test_cut_that_outlasts_the_lease_stops_the_build_and_it_is_tried_again(world, door, at_work, silent):
    door.shut(silent=silent)
    wait_for(lambda: not world.pids_inside(), why="the runner gives up")
    [build] = wait_for(lambda: [b for b in world.clerk.ask("builds", [at_work]) if b["status"] == "queued"])
    assert "not heard of" in build["attempts"][0]["outcome"]
    door.open.set()
    assert len(ended(world, at_work)["attempts"]) == 2
    assert "gave up" in world.said("runner")
