"""A world for each module, over SQLite or, where DATABASE_URL names one, over a PostgreSQL database of its own."""

import os
import secrets
import shutil
import tempfile
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
import pytest
from faults.door import Door
from faults.world import World

from sotabench.runner.doctor import fit_slots
from sotabench.runner.sandbox import Slot


@pytest.fixture(scope="session")
def sandbox(tmp_path_factory):
    """There is a real one, for root, who gives each slot a user of its own: else skipped, but never where CI runs."""
    why = "expected to run as root" if os.geteuid() != 0 else ""
    if not why:
        _, why = fit_slots([Slot(0, 64_100, 64_100)], tmp_path_factory.mktemp("slots"))
    if why and os.environ.get("CI") == "true":
        pytest.fail(f"no sandbox on this machine: {why}")
    if why:
        pytest.skip(f"no sandbox on this machine: {why}")


@pytest.fixture(scope="session")
def database():
    """Makes the address of an empty PostgreSQL database; empty where the tests run over SQLite."""
    url, made = os.environ.get("DATABASE_URL", ""), []

    def make():
        if not url:
            return ""
        made.append(f"faults_{secrets.token_hex(4)}")
        with psycopg.connect(url, autocommit=True) as server:
            server.execute(f"CREATE DATABASE {made[-1]}")
        return urlsplit(url)._replace(path=f"/{made[-1]}").geturl()

    yield make
    for name in made:
        with psycopg.connect(url, autocommit=True) as server:
            server.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture(scope="module")
def make_world(sandbox, database):
    """Makes worlds; their settings are environment variables."""
    worlds, folders = [], []

    def make(folder=None, **settings):
        if folder is None:
            folder = Path(tempfile.mkdtemp(prefix="sotabench-faults-"))
            folders.append(folder)
        folder.chmod(0o755)  # slots' users pass through
        world = World(folder, database(), **settings)
        worlds.append(world)
        world.clerk.ask("prepare")
        return world

    yield make
    for world in worlds:
        world.close()
    for folder in folders:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def door(world):
    found = Door(world.port)
    yield found
    found.close()
