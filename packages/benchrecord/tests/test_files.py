"""What both readers of strangers' files refuse before they look inside."""

import os
import socket
import subprocess
import sys

import numpy as np
import pytest

from benchrecord import (
    InvalidPredictions,
    InvalidRecord,
    append_record,
    read_predictions,
    read_records,
    write_predictions,
)

KINDS = {"predictions": (read_predictions, InvalidPredictions), "records": (read_records, InvalidRecord)}


@pytest.fixture(params=KINDS)
def stranger(request, tmp_path, rank):
    """A good file, its reader and the reader's error."""
    reader, error = KINDS[request.param]
    path = tmp_path / "out" / "file"
    if request.param == "predictions":
        write_predictions(path, rank(np.eye(3)))
    else:
        append_record(path, {"model": "a"})
    return path, reader, error


def test_a_good_file_is_read(stranger):
    path, reader, _ = stranger
    assert len(reader(path)) > 0


def test_a_symbolic_link_is_refused(stranger):
    path, reader, error = stranger
    link = path.with_name("link")
    link.symlink_to(path)
    with pytest.raises(error, match="expected a regular file at .*link', found a symbolic link"):
        reader(link)


def test_a_dangling_link_is_refused(stranger):
    path, reader, error = stranger
    link = path.with_name("link")
    link.symlink_to(path.with_name("nowhere"))
    with pytest.raises(error, match="found a symbolic link"):
        reader(link)


def test_a_hard_link_is_refused(stranger):
    path, reader, error = stranger
    os.link(path, path.with_name("second"))
    with pytest.raises(error, match="to have one name, found 2 hard links"):
        reader(path)


def test_a_fifo_is_refused_and_nobody_waits_for_its_writer(stranger):
    path, reader, error = stranger
    fifo = path.with_name("fifo")
    os.mkfifo(fifo)
    with pytest.raises(error, match="found a FIFO"):
        reader(fifo)


def test_a_socket_a_folder_and_a_device_are_refused(stranger, monkeypatch):
    path, reader, error = stranger
    monkeypatch.chdir(path.parent)  # a socket's path must be short
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind("socket")
        with pytest.raises(error, match="found a socket"):
            reader("socket")
    with pytest.raises(error, match="found a folder"):
        reader(path.parent)
    with pytest.raises(error, match="found a device"):
        reader("/dev/zero")


def test_a_missing_file_is_the_strangers_fault(stranger):
    path, reader, error = stranger
    with pytest.raises(error, match="expected a readable regular file at .*gone', found: No such file"):
        reader(path.with_name("gone"))
    with pytest.raises(error, match="Not a directory"):
        reader(path / "below")


def test_a_sparse_file_is_refused_by_its_size(stranger):
    path, reader, error = stranger
    os.truncate(path, 1 << 40)
    with pytest.raises(error, match=r"expected at most \d+ bytes in .*, found 1099511627776"):
        reader(path)


def test_the_size_limit_is_exact(stranger):
    path, reader, error = stranger
    size = path.stat().st_size
    reader(path, max_size=size)
    with pytest.raises(error, match=f"expected at most {size - 1} bytes"):
        reader(path, max_size=size - 1)


def test_an_empty_file_is_refused(stranger):
    path, reader, error = stranger
    os.truncate(path, 0)
    with pytest.raises(error, match="expected"):
        reader(path)


SWAPPER = """
import os, sys
secret, place = sys.argv[1:]
while True:
    os.symlink(secret, place + ".new")
    os.replace(place + ".new", place)
    with open(place + ".new", "wb") as file:
        file.write(b"[]")
    os.replace(place + ".new", place)
"""


def test_a_link_put_there_between_the_look_and_the_opening_is_not_followed(tmp_path):
    secret, place = tmp_path / "secret", tmp_path / "place"
    secret.write_text('[{"secret": 1}]')
    place.write_text("[]")
    swapper = subprocess.Popen([sys.executable, "-c", SWAPPER, str(secret), str(place)])
    seen = set()
    try:
        for _ in range(200_000):
            seen.add(outcome(place))
            if "Too many levels" in " ".join(seen):  # the link came in between, and was refused
                break
    finally:
        swapper.kill()
        swapper.wait()
    assert not any("secret'" in each for each in seen)


def outcome(path):
    try:
        return str(read_records(path))
    except InvalidRecord as error:
        return str(error)
