"""What git is asked on the server is bounded: in time, with all that it started, and in what is read of it."""

import os
import select

import pytest

from sotabench.server.outgoing import Unanswered
from sotabench.server.repositories.remote import MOST_OF_REFS, run_bounded

HERE = {"PATH": os.defpath}


def test_what_git_started_ends_with_it(tmp_path):
    place = tmp_path / "pid"
    with pytest.raises(Unanswered, match="within 1 seconds"):
        run_bounded(["sh", "-c", f"sleep 600 & echo $! > {place}; wait"], HERE, seconds=1)
    assert has_ended(int(place.read_text()))


def has_ended(pid, *, patience=20):
    """Whether the process is gone or goes soon: what is killed dies when the machine next runs it."""
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    try:
        return bool(select.select([descriptor], [], [], patience)[0])
    finally:
        os.close(descriptor)


def test_what_git_says_without_end_is_not_read():
    with pytest.raises(Unanswered, match=f"at most {MOST_OF_REFS} bytes"):
        run_bounded(["head", "-c", str(MOST_OF_REFS + 1), "/dev/zero"], HERE)


def test_last_words_of_git_are_told():
    with pytest.raises(Unanswered, match="found: fatal: no such host"):
        run_bounded(["sh", "-c", "echo 'fatal: no such host' >&2; exit 128"], HERE)
    assert run_bounded(["echo", "v"], HERE) == "v\n"
