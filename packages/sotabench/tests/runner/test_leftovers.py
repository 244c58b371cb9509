"""What a killed runner leaves in the folder for temporary files is removed by the next, and nothing else is."""

import os
import signal
import socket
import subprocess
import sys
import time

from sotabench.runner.egress import Egress, Rules
from sotabench.runner.leftovers import remove_leftovers

KILLED = """
import os, signal, sys, tempfile
tempfile.tempdir = sys.argv[1]
from sotabench.runner.egress import Egress, Rules
with Egress(Rules()):
    os.kill(os.getpid(), signal.SIGKILL)
"""


def old(*folders, seconds=4000):
    for folder in folders:
        os.utime(folder, (time.time() - seconds,) * 2)


def test_folder_of_a_killed_proxy_goes_and_one_that_listens_stays(tmp_path, monkeypatch):
    done = subprocess.run([sys.executable, "-c", KILLED, tmp_path], check=False)
    assert done.returncode == -signal.SIGKILL
    (left,) = tmp_path.glob("sotabench-*")
    assert remove_leftovers(tmp_path) == 0, "one that was just made may be about to listen"
    old(left)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with Egress(Rules()) as proxy:
        old(proxy.socket.parent)
        assert remove_leftovers(tmp_path) == 1
        assert list(tmp_path.iterdir()) == [proxy.socket.parent]
        with socket.socket(socket.AF_UNIX) as asked:
            asked.connect(str(proxy.socket))
            asked.sendall(b"CONNECT forbidden.invalid:443 HTTP/1.1\r\n\r\n")
            assert b" 403 " in asked.recv(1000)
    assert list(tmp_path.iterdir()) == []


def test_what_may_be_somebodys_stays(tmp_path):
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "mine").touch()
    (tmp_path / "sotabench-link").symlink_to(outside)
    (tmp_path / "sotabench-file").touch()
    for name in ("sotabench-empty", "sotabench-probe", "sotabench-new", "sotabench-tests-x", "sotabench-odd"):
        (tmp_path / name).mkdir()
    (tmp_path / "sotabench-probe" / "mine").touch()
    (tmp_path / "sotabench-tests-x" / "test.sqlite3").touch()
    (tmp_path / "sotabench-odd" / "egress.sock").symlink_to(outside / "mine")
    old(outside, *(one for one in tmp_path.glob("sotabench-*") if one.name != "sotabench-new"))
    assert remove_leftovers(tmp_path) == 2
    kept = {"outside", "sotabench-link", "sotabench-file", "sotabench-new", "sotabench-tests-x", "sotabench-odd"}
    assert {one.name for one in tmp_path.iterdir()} == kept
    assert (outside / "mine").exists()
