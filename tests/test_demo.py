"""`make demo`, as its Makefile starts it: three real models, a real site, and nothing left behind."""

import importlib
import os
import re
import shutil
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
ADDRESS = re.compile(r"^  (http://127\.0\.0\.1:\d+\S*)", re.MULTILINE)
BOARD = "/benchmarks/image-classification-on-imagenet"


@pytest.fixture
def command(tmp_path):
    photographs = os.environ.get("TORCHBENCH_TEST_PHOTOGRAPHS")
    if not photographs:
        pytest.fail("TORCHBENCH_TEST_PHOTOGRAPHS is not set: run the tests by `make test`, or set it to the folder")
    return [sys.executable, "tools/demo.py", photographs, "--folder", str(tmp_path / "demo")]


@contextmanager
def begun(command):
    """The demo, running; what it says comes from its stdout."""
    options = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
    with subprocess.Popen(command, cwd=ROOT, **options) as process:
        try:
            yield process
        finally:
            process.terminate()
            process.wait(60)


def said_until(process, words):
    """All that it said, up to the line with these words."""
    said = ""
    for line in process.stdout:
        said += line
        if words in line:
            return said
    pytest.fail(f"the demo ended without saying {words!r}:\n{said}")


def sandbox():
    """Whether pushes are built on this machine; where CI runs they are."""
    found = shutil.which("bwrap") is not None
    assert found or os.environ.get("CI") != "true", "apt-get install bubblewrap"
    return found


def page(address):
    with urllib.request.urlopen(address, timeout=20) as answer:
        return answer.read().decode()


def running_in(folder):
    """The processes whose command line names the folder."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):  # it ended meanwhile
            found.append(path.read_bytes().replace(b"\0", b" ").decode(errors="replace"))
    return [line for line in found if str(folder) in line]


def test_demo_without_a_person_ends_when_every_printed_page_has_answered(command, tmp_path):
    done = subprocess.run(
        command, cwd=ROOT, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=900, check=False
    )
    assert done.returncode == 0, done.stderr
    addresses = ADDRESS.findall(done.stdout)
    site = addresses[0].rstrip("/")
    results = [f"/results/{number}" for number in ((4, 5, 6) if sandbox() else (1, 2, 3))]
    assert [address.removeprefix(site) for address in addresses] == [
        "/",
        f"{BOARD}-sample-20",
        "/user/owner/repos/localhost/demo/efficientnet_lite",
        *results,
        "/accounts/login/",
    ]
    with pytest.raises(urllib.error.URLError):
        page(site)
    assert running_in(tmp_path) == []


def test_kept_demo_shows_the_sample_on_its_own_benchmark_until_ctrl_c(command, tmp_path):
    with begun([*command, "--keep"]) as demo:
        site = ADDRESS.search(said_until(demo, "Ctrl-C stops the site"))[1].rstrip("/")
        own = page(f"{site}{BOARD}-sample-20")
        for model in ("EfficientNet-Lite0", "EfficientNet-Lite1", "EfficientNet-Lite2"):
            assert model in own
        assert "Not comparable" in own
        if sandbox():
            assert own.count('class="tier tier-verified"') >= 3
            assert "run and scored by this site" in own
            assert "not comparable" in page(f"{site}/results/4")
            assert "75.1" in page(f"{site}/results/4")
        assert "There are no results here yet" in page(f"{site}{BOARD}")
        commit = subprocess.run(
            ["git", "rev-parse", "HEAD"], cwd=tmp_path / "demo" / "efficientnet_lite",
            capture_output=True, text=True, check=True,
        ).stdout.strip()  # fmt: skip
        assert commit[:10] in page(f"{site}/results/1")

        second = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
        assert (second.returncode, "found one that runs" in second.stderr) == (1, True)
        assert page(site)

        assert running_in(tmp_path / "demo" / "site") != []
        demo.send_signal(signal.SIGINT)
        assert demo.wait(60) == 0
    assert running_in(tmp_path) == []


def test_ctrl_c_in_the_middle_leaves_nothing_running(command, tmp_path):
    with begun(command) as demo:
        said_until(demo, "starting a site")
        while demo.poll() is None and len(running_in(tmp_path / "demo" / "site")) == 0:
            time.sleep(0.05)
        demo.send_signal(signal.SIGINT)
        assert demo.wait(60) == 130
    assert running_in(tmp_path) == []


def test_ctrl_c_at_the_moment_the_site_starts_ends_it(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(ROOT / "tools")
    site = importlib.import_module("demo_site")
    (tmp_path / "sleeper").write_text("#!/bin/sh\nexec sleep 600\n")
    (tmp_path / "sleeper").chmod(0o700)
    monkeypatch.setattr(site, "program", lambda _name: str(tmp_path / "sleeper"))
    begun = []

    class Interrupted(subprocess.Popen):
        def __init__(self, *arguments, **options):
            super().__init__(*arguments, **options)
            begun.append(self)
            signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(subprocess, "Popen", Interrupted)
    with pytest.raises(KeyboardInterrupt), site.serving(tmp_path):
        pytest.fail("expected the signal before the site answers")
    assert [process.returncode for process in begun] == [-signal.SIGTERM]
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
