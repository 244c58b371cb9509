"""The password of the machine's own package index stays out of reach of whatever a wheel brings along."""

import hashlib
import threading
from dataclasses import replace

import pytest

from sotabench.errors import Failed
from sotabench.runner.egress import Rules
from sotabench.runner.environment import make_environment
from sotabench.runner.package_index import PackageIndex
from sotabench.runner.sandbox import Limits, Mount, Task
from sotabench.runner.workplace import ENVIRONMENT, REPOSITORY

LIMITS = Limits(seconds=120, memory=4 << 30, disk=1 << 30, files=10_000, processes=64, file_size=1 << 30)
# In the place of the environment's interpreter: prints all that it finds, as what is wrong, and leaves it in a file.
INTERPRETER = """#!/bin/sh
for place in /proc/[0-9]*; do
    tr '\\0' '\\n' < $place/cmdline
    tr '\\0' '\\n' < $place/environ
done > /tmp/seen 2>/dev/null
echo MARK-OF-THE-WHEEL >&2
cat /tmp/seen >&2
cp /tmp/seen /work/environment/seen
exit 1
"""


@pytest.fixture
def place(new_workplace, checked_out, wheels, host, certificate):
    """A workplace whose index asks for a password, and has the wheel that was made; its checkout asks for it."""

    def make():
        (wheel,) = wheels.iterdir()
        digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
        host.files[f"/{wheel.name}"] = wheel.read_bytes()
        host.files["/simple/small/"] = f"<a href='/{wheel.name}#sha256={digest}'>{wheel.name}</a>".encode()
        address = f"index.test:{host.server_port}"
        variables = {"UV_DEFAULT_INDEX": f"https://ada:secret@{address}/simple"}
        index = PackageIndex(variables, (), Rules.of(internal=[address]))
        made = new_workplace("secret", index=index, certificates=certificate[0])
        return checked_out({"requirements.txt": "small\n"}, made)

    return make


def python(workplace, environment, code):
    """What the build's own interpreter prints."""
    printed = bytearray()
    task = Task(
        command=[environment.python, "-c", code],
        folder=REPOSITORY,
        mounts=[*environment.mounts, Mount(workplace.repository, REPOSITORY, writable=True)],
        environment=environment.variables,
        limits=LIMITS,
    )
    assert workplace.sandbox.run(task, output=printed.extend, stop=threading.Event()).well, printed.decode()
    return printed.decode().strip()


def test_wheel_that_runs_at_the_start_sees_no_secret_of_the_index(place, make_wheel, store, say):
    note = "import os; os.environ['RAN'] = '1'; 'secret' in str(os.environ) and open('/work/environment/seen', 'w')\n"
    make_wheel("small", further={"small.pth": note})
    workplace = place()
    environment = make_environment(workplace, store)
    assert "small==1.0" in environment.lock
    assert python(workplace, environment, "import os; print(os.environ['RAN'])") == "1"
    assert not (environment.folder / "seen").exists()
    say("wheel whose .pth reads the index's password: stopped, its code starts only after uv is done with the index")


class OverwritingSandbox:
    """The real one, in which what was installed takes the interpreter's place, as uv before 0.9 let wheels do."""

    def __init__(self, sandbox):
        self._sandbox = sandbox

    def run(self, task, **named):
        outcome = self._sandbox.run(task, **named)
        for mount in task.mounts:
            if mount.target == ENVIRONMENT and mount.writable:
                python = mount.source / "bin" / "python"
                python.unlink()
                python.write_text(INTERPRETER)
                python.chmod(0o755)
        return outcome


def test_wheel_in_the_interpreters_place_finds_no_secret_in_any_process(place, make_wheel, store, log, say):
    make_wheel("small")
    workplace = place()
    overwriting = replace(workplace, sandbox=OverwritingSandbox(workplace.sandbox))
    with pytest.raises(Failed) as failed:
        make_environment(overwriting, store)
    everything = f"{failed.value}{log.text}"
    assert "MARK-OF-THE-WHEEL" in everything
    assert "bwrap" in everything  # it did find command lines
    assert "secret" not in everything
    assert not list(store.rglob("seen"))
    say("wheel in the place of bin/python: stopped, what lists an environment is told of no index")
