"""The database goes away for a while: requests are answered again, builds end."""

import os
import threading
import time
from urllib.parse import urlsplit

import psycopg
import pytest
from faults.world import check_logs, wait_for

SERVER = os.environ.get("DATABASE_URL", "")


@pytest.fixture
def world(make_world):
    world = make_world(SOTABENCH_LEASE_SECONDS="60")
    world.add("waits", waits="evaluate", calls=2)
    world.start_site()
    return world


def take_away(world, seconds):
    """End every connection, and let nobody connect, as while the database restarts; SQLite: let nobody write."""
    if not SERVER:
        world.clerk.ask("lock", seconds)
        return
    name = urlsplit(world.environment["DATABASE_URL"]).path.removeprefix("/")
    with psycopg.connect(SERVER, autocommit=True) as server:
        server.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS false")
        server.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [name])
        assert wait_for(lambda: world.health() == 503, why="the site says so")
        time.sleep(seconds)
        server.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS true")


def test_builds_end_although_the_database_went_away_meanwhile(world):
    key = world.build("waits")
    wait_for(lambda: world.reached("evaluate"), why="the build runs")
    threading.Timer(2, world.let_go).start()
    take_away(world, 5)
    wait_for(world.is_well, why="the site answers again")
    [build] = world.until_final([key])
    assert (build["status"], build["calls"]) == ("finished", ["Net 0", "Net 1"])
    assert len(build["attempts"]) == 1
    check_logs(world, [key])
    world.check_nothing_is_left()
