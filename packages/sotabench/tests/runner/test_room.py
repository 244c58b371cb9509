"""A runner without room on its disk says so once, and once more when it has some."""

import pytest

from sotabench.errors import SiteUnreachable
from sotabench.runner import room
from sotabench.runner.room import Room, missing_room
from sotabench.runner.sandbox.watchdog import DISK_LEFT


@pytest.fixture
def left(monkeypatch):
    """Bytes that the disk can take, as the test says."""
    found = {"bytes": DISK_LEFT}
    monkeypatch.setattr(room, "disk_left", lambda _folder: found["bytes"])
    return found


def test_site_is_told_of_every_change_once(tmp_path, left):
    told = []
    watched = Room(tmp_path, told.append)
    for size in (DISK_LEFT, DISK_LEFT - 1, 0, DISK_LEFT - 1, DISK_LEFT, DISK_LEFT + 1):
        left["bytes"] = size
        watched.report()
    assert told == ["the runner's disk is full: expected 256 MiB left, found 255; free some", ""]


def test_what_the_site_did_not_hear_is_told_again(tmp_path, left):
    told = []

    def tell(trouble):
        told.append(trouble)
        if len(told) == 1:
            raise SiteUnreachable("expected an answer of the site, found: none")

    watched = Room(tmp_path, tell)
    left["bytes"] = 0
    with pytest.raises(SiteUnreachable):
        watched.report()
    watched.report()
    watched.report()
    assert told == [missing_room(tmp_path)] * 2
