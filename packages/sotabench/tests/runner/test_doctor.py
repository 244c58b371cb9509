"""`sotabench doctor` names what is wrong with a machine, and the line that mends it."""

import importlib.util
import json
import os
import socket
import stat
import subprocess
import sys
import threading
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from sotabench.runner.base import OURS
from sotabench.runner.commands.doctor import machine_of
from sotabench.runner.doctor import Machine, examine, fit_slots
from sotabench.runner.doctor.remedies import APPARMOR, CONTAINER, remedy
from sotabench.runner.egress import Rules
from sotabench.runner.sandbox import Limits, Slot
from sotabench.runner.settings import RunnerSettings
from sotabench.site import main

SMALL = Limits(seconds=60, memory=1 << 30, disk=1 << 20, files=1000, processes=64, file_size=1 << 20)


@pytest.fixture
def machine(tmp_path):
    data = tmp_path / "data"
    (data / "copies").mkdir(parents=True)
    (data / "copies" / "image.jpeg").write_bytes(b"x")
    data.chmod(0o700)  # as a site's own folder is
    return Machine(folder=tmp_path / "runner", limits=SMALL, slots=1, data=data)


def troubles(checks) -> dict[str, str]:
    return {check.name: check.found for check in checks if not check.is_well}


def test_a_slot_that_is_well_is_said_to_be(slot, works, machine, say):
    checks = examine(slot, machine)
    assert troubles(checks) == {}
    names = {check.name for check in checks}
    assert names >= {"bubblewrap", "seccomp", "isolation", "uid", "processes", "memory", "proxy", "data", "disk"}
    for check in checks:
        say(f"{check.name}: {check.found}")


@pytest.mark.skipif(importlib.util.find_spec("torch") is None, reason="torch is not installed")
def test_a_tensor_is_made_in_the_sandbox(slot, works, machine):
    limits = Limits(seconds=200, memory=4 << 30, disk=1 << 20, files=1000, processes=256, file_size=1 << 20)
    own = Machine(folder=machine.folder, limits=limits, slots=1, python=Path(sys.executable))
    found = {check.name: check for check in examine(slot, own)}
    assert found["tensor"].is_well, found["tensor"]
    assert "torch 2" in found["tensor"].found


def test_hosts_are_tried_through_the_proxy(slot, works, machine):
    with socket.create_server(("127.0.0.1", 0)) as there, socket.create_server(("127.0.0.1", 0)) as gone:
        port = gone.getsockname()[1]
        gone.close()
        rules = Rules.of(internal=[f"127.0.0.1:{there.getsockname()[1]}", f"127.0.0.1:{port}"])
        checks = examine(slot, Machine(folder=machine.folder, limits=SMALL, slots=1, rules=rules))
    hosts = [check.found for check in checks if check.name == "hosts"]
    assert hosts == [f"reached: 127.0.0.1:{there_port(rules, port)}", f"not reached from here: 127.0.0.1:{port}"]


def there_port(rules: Rules, gone: int) -> int:
    return next(int(rule.rpartition(":")[2]) for rule in rules.internal if not rule.endswith(f":{gone}"))


def test_a_missing_device_a_missing_folder_and_too_little_room_are_named(slot, works, machine, tmp_path):
    wanting = Limits(seconds=60, memory=1 << 60, disk=1 << 60, files=1000, processes=64, file_size=1 << 20)
    poor = Machine(folder=tmp_path, limits=wanting, slots=1, data=tmp_path / "no", devices=[tmp_path / "accelerator"])
    found = troubles(examine(slot, poor))
    assert set(found) == {"data", "disk", "machine's memory", f"device {tmp_path / 'accelerator'}"}


def test_a_device_that_is_there_can_be_opened_inside(slot, works, machine):
    own = Machine(folder=machine.folder, limits=SMALL, slots=1, devices=[Path("/dev/null")])
    found = {check.name: check for check in examine(slot, own)}
    assert found["device /dev/null"].is_well


def fake_bubblewrap(folder: Path, says: str) -> None:
    program = folder / "bwrap"
    program.write_text(f"#!/bin/sh\necho '{says}' >&2\nexit 1\n")
    program.chmod(program.stat().st_mode | stat.S_IXUSR | stat.S_IXGRP | stat.S_IXOTH)


def test_a_bubblewrap_that_may_not_work_is_told_in_its_own_words(slot, machine, monkeypatch):
    place = Path(os.environ.get("TMPDIR", "/var/tmp")) / f"sotabench-test-{os.getpid()}"  # noqa: S108 - any uid enters it
    place.mkdir(mode=0o755)
    try:
        fake_bubblewrap(place, "bwrap: setting up uid map: Permission denied")
        monkeypatch.setenv("PATH", f"{place}:{os.environ['PATH']}")
        checks = examine(slot, machine)
        assert "setting up uid map: Permission denied" in troubles(checks)["bubblewrap"]
        assert "isolation" not in {check.name for check in checks}
        fit, trouble = fit_slots([slot, replace(slot, number=3)], machine.folder)
        assert fit == []
        assert trouble.count("setting up uid map") == 2
        assert "slot 3: bubblewrap" in trouble
    finally:
        (place / "bwrap").unlink()
        place.rmdir()


def test_a_missing_bubblewrap_is_named_with_the_line_that_installs_it(slot, machine, monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    wrong = next(check for check in examine(slot, machine) if not check.is_well)
    assert wrong.name == "bubblewrap"
    assert wrong.mend == "sudo apt-get install bubblewrap"


def test_only_slots_that_are_well_are_in_service(works, slot, machine):
    fit, trouble = fit_slots([slot, Slot(1, slot.uid, slot.gid)], machine.folder)
    assert (fit, trouble) == ([0, 1], "")
    if os.getuid() == 0:  # a slot that is root's own is no separation
        fit, trouble = fit_slots([slot, Slot(1, 0, 0)], machine.folder)
        assert fit == [0]
        assert "slot 1: uid: tasks run as 0" in trouble


FORBIDDEN = "bwrap: setting up uid map: Permission denied"


@pytest.mark.parametrize(
    ("kernel", "trouble", "is_container", "mends"),
    [
        ({"kernel.apparmor_restrict_unprivileged_userns": "1"}, FORBIDDEN, False, APPARMOR),
        ({"kernel.apparmor_restrict_unprivileged_userns": "1"},
         "bwrap: loopback: Failed RTM_NEWADDR: Operation not permitted", False, APPARMOR),
        ({"kernel.unprivileged_userns_clone": "0"}, "bwrap: No permissions to create new namespace", False,
         "kernel.unprivileged_userns_clone=1"),
        ({"user.max_user_namespaces": "0"}, "bwrap: Creating new namespace failed", False,
         "user.max_user_namespaces=15000"),
        ({}, "bwrap: Creating new namespace failed: Operation not permitted", True, CONTAINER),
        ({}, "expected a seccomp filter, found no libseccomp", False, "libseccomp2"),
        ({}, "anything else", False, ""),
    ],
)  # fmt: skip
def test_what_forbids_bubblewrap_is_found_in_the_kernels_settings(kernel, trouble, is_container, mends):
    found = remedy(trouble, setting=lambda name: kernel.get(name, ""), is_container=is_container)
    assert mends in found
    assert bool(mends) == bool(found)


def test_the_command_prints_each_check_and_answers_by_its_exit_code(works, monkeypatch, tmp_path, capsys):
    for name in ("SOTABENCH_WEIGHTS_HOSTS", "SOTABENCH_INTERNAL_HOSTS"):
        monkeypatch.setenv(name, "127.0.0.1:1")
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:1/simple")
    monkeypatch.setenv("SOTABENCH_RUNNER_FOLDER", str(tmp_path))
    monkeypatch.setenv("SOTABENCH_RUNNER_SLOTS", "1")
    monkeypatch.setenv("SOTABENCH_RUNNER_DISK", "1000000")
    monkeypatch.setenv("SOTABENCH_RUNNER_MEMORY", "4")
    assert main(["doctor"]) == 1
    printed = capsys.readouterr().out
    assert "slot 0\n  ok     bubblewrap: " in printed
    assert "  WRONG  disk: " in printed
    assert "SOTABENCH_RUNNER_DISK" in printed


@pytest.mark.skipif(importlib.util.find_spec("torch") is None, reason="a runner needs torch")
def test_a_runner_without_any_slot_that_is_well_tells_its_site_and_builds_nothing(tmp_path):
    asked = []

    class Site(BaseHTTPRequestHandler):
        def do_POST(self):
            asked.append((self.path, json.loads(self.rfile.read(int(self.headers["Content-Length"])))))
            self.send_response(200)
            self.send_header("Content-Length", "13")
            self.end_headers()
            self.wfile.write(b'{"name": "r"}')

        def log_message(self, *_):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Site) as site:
        threading.Thread(target=site.serve_forever, daemon=True).start()
        own = {"SOTABENCH_RUNNER_TOKEN": "t", "SOTABENCH_RUNNER_FOLDER": str(tmp_path), "PATH": str(tmp_path)}
        code = "import sys; from sotabench.site import main; sys.exit(main(sys.argv[1:]))"
        command = [sys.executable, "-c", code, "runner", "--url", f"http://127.0.0.1:{site.server_port}"]
        ended = subprocess.run(command, env={**os.environ, **own}, capture_output=True, text=True, check=False)
        site.shutdown()
    assert ended.returncode == 1
    assert "sotabench doctor" in ended.stderr
    assert [path for path, _ in asked] == ["/api/runner/hello"]
    assert "apt-get install bubblewrap" in asked[0][1]["trouble"]


def test_interpreter_without_what_builds_need_is_named(slot, works, tmp_path, monkeypatch):
    for python, said in ((tmp_path / "none", "found: No such file"), (Path("/bin/true"), "found: another program")):
        monkeypatch.setenv("SOTABENCH_BASE_PYTHON", str(python))
        machine = machine_of(RunnerSettings.from_environment(), {}, tmp_path / "store")
        (found,) = [check for check in examine(slot, machine) if check.name == "packages"]
        assert not found.is_well
        assert found.found.startswith(f"expected a Python interpreter at {python}, {said}")
        assert "torchbench" in found.mend
    bare = tmp_path / "bare"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", bare], check=True)
    monkeypatch.setenv("SOTABENCH_BASE_PYTHON", str(bare / "bin" / "python"))
    machine = machine_of(RunnerSettings.from_environment(), {}, tmp_path / "store")
    assert "found no torch and no torchvision and no torchbench" in machine.trouble


@pytest.mark.skipif(importlib.util.find_spec("torch") is None, reason="torch is not installed")
def test_packages_beside_the_interpreters_own_are_seen_as_builds_see_them(slot, works, tmp_path, monkeypatch):
    home = tmp_path / "home"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", home], check=True)
    (site,) = home.glob("lib/python*/site-packages")
    named = {Path(importlib.util.find_spec(name).origin).parents[1] for name in OURS}
    site.joinpath("elsewhere.pth").write_text("\n".join(map(str, named)))
    monkeypatch.setenv("SOTABENCH_BASE_PYTHON", str(home / "bin" / "python"))
    machine = machine_of(RunnerSettings.from_environment(), {}, tmp_path / "store")
    found = {check.name: check for check in examine(slot, machine)}
    assert found["tensor"].is_well, found["tensor"]
