"""Builds that wait, and runners that want them."""

import pytest

from sotabench.server.builds import leases
from sotabench.server.builds.services import build_push


@pytest.fixture
def runner(db):
    return leases.create_runner("here")[0]


@pytest.fixture
def push(vision):
    def pushed(commit="a" * 40, *, repository=vision, branch="main"):
        return build_push(repository, commit=commit, branch=branch)

    return pushed


@pytest.fixture
def claimed(push, runner):
    """A build that runs: its attempt and the attempt's token."""
    push()
    return leases.claim(runner, slot=0)
