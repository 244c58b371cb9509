"""Whoever has a runner's token, or would like one: what `/api/runner/` and the keeper of a site's own runner let go."""

import json
import os
import sys

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.utils import timezone

from sotabench.server.builds import leases
from sotabench.server.builds.models import Attempt, Build, LogChunk, Runner
from sotabench.server.builds.services import Status, build_push
from sotabench.server.keeper import RunnerKeeper

pytestmark = pytest.mark.django_db

CALLS = {
    "renew": {"stage": "evaluate"},
    "log": {"number": 7, "text": "forged"},
    "inputs": {"inputs": {"tree": "forged"}},
    "end": {"status": "finished"},
}


@pytest.fixture
def lab(vision):
    """A runner that has a build: its token, and the attempt's."""
    build_push(vision, commit="a" * 40, branch="main")
    runner, token = leases.create_runner("lab")
    return token, leases.claim(runner, slot=0).token


def ask(call, token, attempt="", body=None, **content):
    headers = {"Authorization": f"Bearer {token}", "X-Attempt": attempt}
    text = json.dumps(content) if body is None else body
    return Client().post(f"/api/runner/{call}", text, content_type="application/json", headers=headers)


def hand_in(token, attempt, content=b"[{}]"):
    headers = {"Authorization": f"Bearer {token}", "X-Attempt": attempt}
    files = {"record": SimpleUploadedFile("record.json", content), "number": 1}
    return Client().post("/api/runner/calls", files, headers=headers)


def untouched():
    build = Build.objects.get()
    return (build.status, build.inputs, LogChunk.objects.count(), Attempt.objects.get().ended_at) == (
        Status.RUNNING, {}, 0, None,
    )  # fmt: skip


def test_attempt_of_another_runner(lab):
    _, other = leases.create_runner("mallory")
    for call, content in CALLS.items():
        answer = ask(call, other, lab[1], **content)
        assert answer.status_code == 409, call
    assert hand_in(other, lab[1]).status_code == 409
    print(f"stopped: {answer.json()['message']}")
    assert untouched()


def test_revoked_runner_ends_nothing_that_it_had(lab):
    Runner.objects.update(revoked_at=timezone.now())
    for call, content in CALLS.items():
        answer = ask(call, *lab, **content)
        assert answer.status_code == 401, call
    assert (hand_in(*lab).status_code, ask("claim", lab[0], slot=1).status_code) == (401, 401)
    print(f"stopped: {answer.json()['message']}; its build is taken back when its lease is over")
    assert untouched()


def test_drained_runner_claims_nothing_and_ends_what_it_has(lab, vision):
    Runner.objects.update(is_drained=True)
    build_push(vision, commit="b" * 40, branch="other")
    assert ask("claim", lab[0], slot=1).json() == {}
    assert ask("end", *lab, status="finished").json() == {"status": "finished"}


@pytest.mark.parametrize(
    "body",
    [
        b"", b"{", b"[" * 100_000, b"[]", b"7", b"null", b"\xff", b'{"number": 1e400, "text": ""}',
        b'{"number": -1, "text": ""}', b'{"number": 0, "text": "a\\u0000b\\ud800"}', b'{"number": 0}',
        b'{"inputs": [], "status": {}, "stage": 7, "slot": "x", "number": true, "text": 7, "facts": 1}',
    ],
)  # fmt: skip
def test_bodies_that_are_none(lab, body):
    for call in ("hello", "claim", "renew", "log", "inputs", "end"):
        answer = ask(call, *lab, body=body)
        assert answer.status_code < 500, (call, answer.content)
        assert "Traceback" not in answer.content.decode()
    assert hand_in(*lab, content=body).status_code in {400, 413}
    assert Build.objects.get().status == Status.RUNNING


def test_inputs_of_ten_megabytes_and_log_of_two(lab):
    found = ask("inputs", *lab, inputs={"tree": "x" * 10_000_000})
    lines = ask("log", *lab, number=0, text="x" * 2_000_000)
    print(f"stopped: {found.status_code}, {lines.status_code}")
    assert {found.status_code, lines.status_code} <= {400, 413}
    assert untouched()


def test_log_out_of_order_twice_and_from_the_end_of_numbers(lab):
    for number, text in ((5, "five"), (0, "zero"), (5, "five again"), (2**31 - 1, "last"), (2**31, "too many")):
        assert ask("log", *lab, number=number, text=text).status_code in {200, 400}
    assert list(LogChunk.objects.order_by("pk").values_list("text", flat=True)) == ["five", "zero", "last"]


@pytest.mark.django_db(transaction=True)
def test_keepers_token_is_in_no_command_line_and_no_log(settings, tmp_path, caplog):
    """Only the runner's own environment holds it, which the kernel shows to its user alone."""
    told = tmp_path / "told"
    keeper = RunnerKeeper("http://127.0.0.1:1", ["--with-this"])
    script = f"import os; file = open({str(told)!r}, 'w')\n"
    script += "file.write(os.environ['SOTABENCH_RUNNER_TOKEN'] + open('/proc/self/cmdline').read())"
    assert "runner" in keeper._command  # what it starts
    before, keeper._command = keeper._command, [sys.executable, "-c", script, "runner"]
    keeper._once()
    token, command = told.read_text()[:47], told.read_text()[47:]
    assert leases.runner_of(token) == Runner.objects.get(name="this machine")
    assert token not in command
    assert not any("sbr_" in word for word in before)
    assert "sbr_" not in caplog.text
    assert not [path for path in settings.DATA.rglob("*") if path.is_file() and b"sbr_" in path.read_bytes()]
    assert not any("RUNNER_TOKEN" in name for name in os.environ)
    print("stopped: the site keeps a digest, the command line holds no token; a build has an environment of its own")
