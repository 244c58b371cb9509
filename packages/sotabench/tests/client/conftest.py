"""`sb` as a program of its own, a folder it is called in, and a site on loopback that it talks to."""

import json
import os
import subprocess
import sys

import pytest
from django.core.cache import cache

from sotabench.server.accounts.services import create_token

SB = [sys.executable, "-P", "-c", "from sotabench.cli import main; main(prog_name='sb')"]


@pytest.fixture(autouse=True)
def _site(live_server, settings, tmp_path):
    """Every test has a site; its files go where nothing else is."""
    settings.MEDIA_ROOT = tmp_path / "site"
    cache.clear()


@pytest.fixture
def home(tmp_path):
    folder = tmp_path / "home"
    folder.mkdir()
    return folder


@pytest.fixture
def environment(live_server, home):
    plain = {name: value for name, value in os.environ.items() if not name.startswith("SOTABENCH_")}
    return plain | {"HOME": str(home), "SOTABENCH_URL": f"{live_server.url}/api/v0"}


@pytest.fixture
def adas_environment(environment, ada):
    return environment | {"SOTABENCH_TOKEN": create_token(ada, name="sb")[1]}


@pytest.fixture
def sb(environment, tmp_path):
    """Calls `sb` in a folder of its own; what it said and how it ended."""

    def call(*arguments, env=environment, cwd=tmp_path, **options):
        return subprocess.run(
            [*SB, *map(str, arguments)],
            env=env, cwd=cwd, capture_output=True, text=True, check=False, timeout=60, **options
        )  # fmt: skip

    call.command = SB
    return call


@pytest.fixture
def adas_sb(sb, adas_environment):
    """The answer of `sb --json`, called with Ada's token."""

    def call(*arguments, **options):
        done = sb("--json", *arguments, env=adas_environment, **options)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    return call
