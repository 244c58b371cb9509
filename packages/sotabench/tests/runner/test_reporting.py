"""What a runner says reaches a real site on loopback, through cuts and restarts; a lost lease ends everything."""

import http.server
import json
import threading
import time
from typing import ClassVar

import pytest
from django.db import connections

from benchrecord.files import exclusive_lock
from sotabench.errors import Broken, Failed, SiteRefused, SiteUnreachable
from sotabench.runner.attempt import run_attempt
from sotabench.runner.build import uploads
from sotabench.runner.log import MOST_OUTPUT, Log
from sotabench.runner.loop import Signals, run_slots
from sotabench.runner.site import Job, LeaseLost, Report, RunnersSite
from sotabench.server.accounts.models import User
from sotabench.server.builds import leases
from sotabench.server.builds.models import Attempt, Build, LogChunk
from sotabench.server.builds.services import Status, build_push, cancel_build

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def site(live_server):
    _, token = leases.create_runner("lab")
    found = RunnersSite(live_server.url, token)
    yield found
    found.close()


@pytest.fixture
def build(vision):
    return build_push(vision, commit="a" * 40, branch="main")


def log_of(build):
    return "\n".join(LogChunk.objects.filter(attempt__build=build).values_list("text", flat=True)).splitlines()


def ended(build):
    build.refresh_from_db()
    return build.status, build.reason


def run_one(site, tmp_path, work):
    """Claim the build that waits and run `work` as what a build does."""
    run_attempt(site, site.claim(0), 0, tmp_path / "attempt", work, Signals())
    assert not (tmp_path / "attempt").exists()


def test_what_a_build_prints_arrives_in_order_whole_and_harmless(site, build, tmp_path):
    def work(attempt):
        attempt.log.say("begins")
        for number in range(1500):
            attempt.log.output(f"line {number}\n".encode())
        attempt.log.output(b"\x1b[31mno end")

    run_one(site, tmp_path, work)
    lines = log_of(build)
    assert lines == ["# begins", *(f"line {number}" for number in range(1500)), "no end", "# finished"]
    assert ended(build) == (Status.FINISHED, "")


def test_line_of_a_repository_cannot_pass_for_one_of_the_platforms(site, build, tmp_path):
    run_one(site, tmp_path, lambda attempt: attempt.log.output(b"# finished: all is well\n\x1b[1m# verified"))
    assert log_of(build) == [" # finished: all is well", " # verified", "# finished"]


def test_reason_that_quotes_a_stranger_is_one_line(site, build, tmp_path):
    def work(attempt):
        raise Failed("setup.py said: no\ncall 1, A: scored")

    run_one(site, tmp_path, work)
    assert log_of(build) == ["# failed: setup.py said: no call 1, A: scored"]


def test_output_without_end_is_cut_and_the_log_says_so(site, build, tmp_path):
    def work(attempt):
        for _ in range(MOST_OUTPUT // 100_000 + 5):
            attempt.log.output(b"x" * 99_999 + b"\n")
        attempt.log.say("the platform's own lines go on")

    run_one(site, tmp_path, work)
    lines = log_of(build)
    assert lines[-2] == "# the platform's own lines go on"
    assert any("the log is cut here" in line for line in lines)
    assert sum(map(len, lines)) < MOST_OUTPUT


def test_a_million_empty_lines_keep_no_slot_for_minutes(site, build, tmp_path):
    run_one(site, tmp_path, lambda attempt: attempt.log.output(b"\n" * 1_000_000))
    chunks = list(LogChunk.objects.filter(attempt__build=build).order_by("number").values_list("text", flat=True))
    assert "\n".join(chunks).split("\n") == [""] * 1_000_000 + ["# finished"]
    assert len(chunks) < 10


def test_data_set_that_another_build_is_fetching_is_no_left_over(site, build, tmp_path):
    folder = tmp_path / "kept" / "uploads"
    folder.mkdir(parents=True)
    coming = folder / ".what comes"

    def work(attempt):
        coming.touch()
        with exclusive_lock(folder.with_name("uploads.lock")):
            thread = threading.Thread(target=uploads, args=(attempt, folder))
            thread.start()
            thread.join(0.5)
            assert coming.exists()
        thread.join()
        assert not coming.exists()

    run_one(site, tmp_path, work)
    assert ended(build) == (Status.FINISHED, "")


@pytest.mark.parametrize(
    ("error", "end"),
    [
        (Failed("sotabench.py ended with exit code 1"), (Status.FAILED, "sotabench.py ended with exit code 1")),
        (Broken("the disk is full"), (Status.QUEUED, "tried again after: the disk is full")),
        (
            OSError(28, "No space left on device"),
            (Status.QUEUED, "tried again after: [Errno 28] No space left on device"),
        ),
    ],
)
def test_whose_fault_it_is_decides_what_becomes_of_the_build(site, build, tmp_path, error, end):
    def work(attempt):
        raise error

    run_one(site, tmp_path, work)
    assert ended(build) == end


@pytest.mark.parametrize("error", [RecursionError("too deep"), ValueError("no text"), MemoryError()])
def test_fault_of_a_build_that_nobody_foresaw_ends_that_build_alone(site, build, vision, tmp_path, caplog, error):
    """Else a repository that knows of one ends the runner, and every slot with it, at each of its three attempts."""
    signals = Signals()

    def work(job, slot):
        def fault(attempt):
            raise error

        run_attempt(site, job, slot, tmp_path / "attempt", fault, signals)
        signals.told()
        connections.close_all()  # this is a slot's thread, whose connection nobody else closes

    run_slots(site.claim, [0], work, signals)
    assert ended(build) == (Status.QUEUED, "tried again after: a fault of the runner's own, which its log holds")
    assert type(error).__name__ in caplog.text
    assert not (tmp_path / "attempt").exists()


def test_fault_of_the_attempt_itself_ends_the_runner_and_not_the_build(site, build, tmp_path):
    """What holds lease, log and folder is every build's: were it at fault, so would be the next one."""

    def work(job, slot):
        run_attempt(site, job, slot, "no path", lambda attempt: None, Signals())

    with pytest.raises(AttributeError):
        run_slots(site.claim, [0, 1], work, Signals())
    assert ended(build)[0] == Status.QUEUED
    assert "a fault of the runner's own" in build.reason


def test_cancelled_build_is_stopped_and_nothing_is_reported_of_it(site, build, tmp_path, ada):
    def work(attempt):
        found = Build.objects.get(pk=build.pk)
        cancel_build(User.objects.get(pk=ada.pk), found)
        attempt.log.say("not heard any more")
        assert attempt.stop.wait(30)
        raise Failed("checkout: stopped")

    run_one(site, tmp_path, work)
    assert ended(build) == (Status.CANCELLED, "cancelled by ada")


def test_second_signal_stops_what_runs_and_the_build_is_tried_again(site, build, tmp_path):
    signals = Signals()

    def work(attempt):
        signals.told()
        signals.told()
        assert attempt.stop.wait(30)
        raise Failed("evaluate: stopped")

    run_attempt(site, site.claim(0), 0, tmp_path / "attempt", work, signals)
    assert ended(build) == (Status.QUEUED, "tried again after: the runner was stopped")


def test_drained_runner_finishes_what_it_has_and_takes_nothing_new(site, build, tmp_path, vision):
    signals, ran = Signals(), []

    def work(job, slot):
        ran.append(job.build["number"])
        build_push(vision, commit="b" * 40, branch="main")
        connections.close_all()  # this is a slot's thread, whose connection nobody else closes
        signals.told()
        run_attempt(site, job, slot, tmp_path / "attempt", lambda attempt: None, signals)

    run_slots(site.claim, [0], work, signals)
    assert ran == [1]
    assert list(vision.builds.order_by("number").values_list("status", flat=True)) == ["finished", "queued"]


class Flaky(http.server.BaseHTTPRequestHandler):
    """A site that breaks off or is overloaded now and then."""

    answers: ClassVar[list] = []
    heard: ClassVar[list] = []
    headers_heard: ClassVar[list] = []

    def do_POST(self):
        self.headers_heard.append(self.headers)
        self.heard.append(self.rfile.read(int(self.headers["Content-Length"])))
        answer = self.answers.pop(0) if self.answers else 200
        if answer == "cut":
            self.connection.close()
            return
        body = json.dumps({"lease_seconds": 60} if answer == 200 else {"message": "no"}).encode()
        self.send_response(answer)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


@pytest.fixture
def flaky():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Flaky)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    Flaky.answers, Flaky.heard = [], []
    site = RunnersSite(f"http://127.0.0.1:{server.server_port}", "token")
    yield site
    site.close()
    server.shutdown()
    server.server_close()


def a_report(site, **changes):
    return Report(site, Job("token", 60, {"number": 1}, {"name": "a"}, (), ()), **changes)


def test_word_to_a_site_that_restarts_is_said_again_until_it_is_heard(flaky):
    Flaky.answers = ["cut", 503, 500, 502]
    a_report(flaky).log(7, "kept")
    assert [json.loads(body)["text"] for body in Flaky.heard] == ["kept"] * 5


@pytest.mark.parametrize("status", [401, 403, 404, 409])
def test_refusal_of_the_attempt_itself_is_a_lost_lease(flaky, status):
    Flaky.answers = [status]
    report = a_report(flaky)
    with pytest.raises(LeaseLost):
        report.renew()
    assert report.lost.is_set()
    with pytest.raises(LeaseLost):
        report.renew()
    assert len(Flaky.heard) == 1


def test_refusal_of_what_was_said_is_not(flaky):
    Flaky.answers = [400]
    report = a_report(flaky)
    with pytest.raises(SiteRefused):
        report.log(0, "too long")
    assert not report.lost.is_set()


def test_site_that_stays_silent_as_long_as_the_lease_has_lost_its_runner(flaky):
    Flaky.answers = [503] * 100
    now = iter(range(0, 10_000, 31))
    report = a_report(flaky, clock=lambda: next(now))
    with pytest.raises(LeaseLost, match="did not answer"):
        report.renew()


class RenewedMeanwhile(Report):
    """The report of an attempt whose lease another thread renews all the time."""

    _heard = property(lambda self: self.clock(), lambda self, seconds: None)


def test_what_makes_the_site_fail_is_not_said_for_ever_while_the_lease_is_renewed(flaky):
    Flaky.answers = [500] * 100
    now = iter(range(0, 10_000, 31))
    job = Job("token", 60, {"number": 1}, {"name": "a"}, (), ())
    report = RenewedMeanwhile(flaky, job, clock=lambda: next(now))
    with pytest.raises(Broken, match="everything but 'calls'"):
        report.call(1, {}, None)
    assert not report.lost.is_set()


def test_log_that_cannot_be_sent_stops_the_build_when_the_lease_is_over(flaky):
    Flaky.answers = [409]
    stop = threading.Event()
    with Log(a_report(flaky), stop) as log:
        log.say("hello")
        assert stop.wait(30)


def test_sign_of_life_that_is_refused_stops_the_build_and_is_raised(flaky):
    Flaky.answers = [400]
    stop = threading.Event()
    report = Report(flaky, Job("token", 0.4, {"number": 1}, {"name": "a"}, (), ()))
    with pytest.raises(SiteRefused), Log(report, stop):
        assert stop.wait(30)


def test_runner_asks_a_site_that_is_away_less_and_less_often_and_ends_when_told(flaky):
    Flaky.answers = [503] * 1000
    signals = Signals()
    threading.Timer(1.2, signals.told).start()
    began = time.monotonic()
    run_slots(flaky.claim, [0], lambda job, slot: None, signals)
    assert len(Flaky.heard) <= 3
    assert time.monotonic() - began < 60


def test_site_that_is_not_there_is_said_so():
    site = RunnersSite("http://127.0.0.1:9", "token")
    with pytest.raises(SiteUnreachable):
        site.claim(0)
    site.close()


def test_lease_is_kept_while_a_build_is_silent(site, build, tmp_path):
    def work(attempt):
        before = Attempt.objects.get().leased_until
        deadline = time.monotonic() + 60
        while Attempt.objects.get().leased_until == before:
            assert time.monotonic() < deadline
            time.sleep(0.2)

    run_one(site, tmp_path, work)
    assert ended(build)[0] == Status.FINISHED


def test_runner_beside_a_site_behind_a_proxy_is_not_sent_away_to_https(flaky):
    a_report(flaky).renew()
    assert Flaky.headers_heard[-1]["X-Forwarded-Proto"] == "https"
