"""Whoever dies, nothing of a task stays alive; and what `run` answers of how it ended."""

import contextlib
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
import uuid
from pathlib import Path

import pytest

from sotabench.errors import Broken
from sotabench.runner.sandbox import Mount, Trusted
from sotabench.runner.sandbox.plan import Ended, Slot

PATIENCE = 20.0
STUBBORN = """
import os, signal, sys, time
for number in range(1, 64):
    try: signal.signal(number, signal.SIG_IGN)
    except (OSError, ValueError): pass
for _ in range(3):
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            open(f"alive{os.getpid()}", "w").close()
            time.sleep(1000)
        os._exit(0)
time.sleep(1000)
"""
RUNNER = """
import sys, threading
from pathlib import Path
from sotabench.runner.sandbox import Bubblewrap, Limits, Mount, Slot, Task, Trusted, interpreter_mounts
from sotabench.runner.sandbox.interpreter import own_interpreter
kind, uid, folder, code, mark = sys.argv[1:]
kind = {"bubblewrap": Bubblewrap, "trusted": Trusted}[kind]
mounts = [Mount(Path(folder), "/build", writable=True), *interpreter_mounts(own_interpreter())]
limits = Limits(100, 1 << 30, 1 << 30, 1000, 64, 1 << 20)
task = Task([str(own_interpreter()), "-c", code, mark], "/build", mounts, {}, limits)
kind(Slot(0, int(uid), int(uid))).run(task, output=lambda _: None, stop=threading.Event())
"""


def marked(mark: str) -> list[int]:
    """The processes that have the mark among their arguments."""
    found = []
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                if mark.encode() in (folder / "cmdline").read_bytes():
                    found.append(int(folder.name))
            except OSError:
                continue
    return found


def wait_until(what) -> None:
    deadline = time.monotonic() + PATIENCE
    while not what():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.02)


@contextlib.contextmanager
def runner_at_work(kind: str, slot: Slot, checkout: Path):
    """A runner in a process of its own, with a task that ignores every signal and has daemons."""
    mark = uuid.uuid4().hex
    uid = slot.uid if kind == "bubblewrap" else os.getuid()
    arguments = [sys.executable, "-c", RUNNER, kind, str(uid), str(checkout), STUBBORN, mark]
    runner = subprocess.Popen(arguments, start_new_session=True)
    wait_until(lambda: len(list(checkout.glob("alive*"))) == 3)
    yield runner, mark
    runner.kill()
    runner.wait()
    for pid in marked(mark):
        os.kill(pid, signal.SIGKILL)


@pytest.fixture(params=["bubblewrap", "trusted"])
def at_work(request, works, slot, checkout):
    with runner_at_work(request.param, slot, checkout) as runner_and_mark:
        yield runner_and_mark


@pytest.fixture
def isolated_at_work(works, slot, checkout):
    """Without isolation nothing but the supervisor holds a task's daemons together."""
    with runner_at_work("bubblewrap", slot, checkout) as runner_and_mark:
        yield runner_and_mark


def supervisors_of(runner: int) -> list[int]:
    tasks = Path(f"/proc/{runner}/task").iterdir()
    return [int(word) for task in tasks for word in (task / "children").read_text().split()]


def test_a_runner_that_is_killed_leaves_nothing_alive(at_work, say):
    runner, mark = at_work
    assert len(marked(mark)) >= 5
    runner.kill()
    runner.wait()
    wait_until(lambda: marked(mark) == [])
    say("runner killed with -9: nothing is alive")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_runner_that_is_told_to_end_leaves_nothing_alive(at_work, number):
    runner, mark = at_work
    runner.send_signal(number)
    runner.wait()
    wait_until(lambda: marked(mark) == [])


def test_a_killed_supervisor_takes_the_sandbox_along(isolated_at_work):
    runner, mark = isolated_at_work
    supervisors = supervisors_of(runner.pid)
    assert len(supervisors) == 1
    os.kill(supervisors[0], signal.SIGKILL)
    wait_until(lambda: [pid for pid in marked(mark) if pid != runner.pid] == [])


def test_runner_and_supervisor_killed_together_leave_nothing_alive(isolated_at_work):
    runner, mark = isolated_at_work
    for pid in (*supervisors_of(runner.pid), runner.pid):
        os.kill(pid, signal.SIGKILL)
    runner.wait()
    wait_until(lambda: marked(mark) == [])


@pytest.fixture(params=["bubblewrap", "trusted"])
def either(request, inside):
    if request.param == "trusted":
        inside.sandbox = Trusted(Slot(0, os.getuid(), os.getgid()))
    return inside


def test_stop_ends_a_task(either):
    stop = threading.Event()
    threading.Timer(0.5, stop.set).start()
    outcome = either.python(STUBBORN, "mark", stop=stop)
    assert outcome.ended is Ended.STOPPED
    assert outcome.code is None


def test_daemons_end_with_the_command_and_hold_nothing_up(either):
    mark = uuid.uuid4().hex
    code = "import os, sys, time\nif os.fork() == 0:\n    os.setsid()\n    time.sleep(1000)\nprint('done')"
    outcome = either.python(code, mark)
    assert outcome.well
    assert either.text.strip() == "done"
    assert marked(mark) == []


def test_a_task_of_which_each_process_is_killed_from_outside_is_killed(inside):
    """As the kernel does when the machine's memory ends."""
    mark = uuid.uuid4().hex

    def kill() -> None:
        wait_until(lambda: list(inside.checkout.glob("alive*")))
        for pid in marked(mark):
            with contextlib.suppress(ProcessLookupError):  # the first one took it along
                os.kill(pid, signal.SIGKILL)

    thread = threading.Thread(target=kill)
    thread.start()
    outcome = inside.python(STUBBORN, mark)
    thread.join()
    assert outcome.ended is Ended.KILLED
    assert outcome.code is None


def test_an_error_of_whoever_reads_the_output_ends_the_task(either):
    mark = uuid.uuid4().hex

    def full(_: bytes) -> None:
        raise OSError("the disk is full")

    task = either.task("sh", "-c", "echo x; sleep 1000", mark)
    with pytest.raises(OSError, match="the disk is full"):
        either.sandbox.run(task, output=full, stop=threading.Event())
    assert marked(mark) == []


def test_exit_codes_and_signals_are_told_apart(either):
    assert either.run("true").well
    assert either.run("sh", "-c", "exit 3").code == 3
    outcome = either.run("sh", "-c", "kill -SEGV $$")
    assert (outcome.ended, outcome.code) == (Ended.KILLED, None)
    assert "SIGSEGV" in outcome.reason


def test_a_command_that_is_not_there_is_the_repositorys_fault(inside):
    outcome = inside.run("nonesuch")
    assert (outcome.ended, outcome.code) == (Ended.EXITED, 127)
    assert "nonesuch" in outcome.reason


def test_output_comes_as_it_is_printed_and_both_kinds_in_order(either):
    seen = []
    stop = threading.Event()

    def output(block: bytes) -> None:
        seen.append(block)
        if b"second" in b"".join(seen):
            stop.set()  # the task would go on without end: so this came while it ran

    task = either.task("sh", "-c", "echo first; echo second >&2; sleep 1000")
    assert either.sandbox.run(task, output=output, stop=stop).ended is Ended.STOPPED
    assert b"".join(seen) == b"first\nsecond\n"


def test_a_mount_that_is_not_there_is_not_the_repositorys_fault(either, tmp_path):
    with pytest.raises(Broken, match="nonesuch"):
        either.run("true", mounts=[Mount(tmp_path / "nonesuch", "/data")])


def left_behind() -> tuple[int, list[Path]]:
    return len(list(Path("/proc/self/fd").iterdir())), sorted(Path(tempfile.gettempdir()).glob("sotabench-*"))


def test_tasks_leave_no_descriptors_and_no_folders(inside, monkeypatch, tmp_path):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    inside.run("true")
    before = left_behind()
    for _ in range(3):
        inside.run("true")
    assert left_behind() == before
    assert before[1] == []


def test_several_tasks_run_at_once(inside):
    outcomes = []

    def run() -> None:
        task = inside.task("sh", "-c", "sleep 0.3")
        outcomes.append(inside.sandbox.run(task, output=lambda _: None, stop=threading.Event()))

    threads = [threading.Thread(target=run) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [outcome.well for outcome in outcomes] == [True] * 4
