"""Records leave a stranger's folder while it runs; whatever lies there, nothing else is read."""

import json
import os
import threading
import time

import pytest

from sotabench.runner.collecting import Collector
from sotabench.runner.site import Report, RunnersSite
from sotabench.server.benchmarks.models import Result
from sotabench.server.builds import leases
from sotabench.server.builds.services import build_push

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def report(live_server, vision, settings, tmp_path):
    settings.MEDIA_ROOT = tmp_path / "site"
    _, token = leases.create_runner("lab")
    build_push(vision, commit="a" * 40, branch="main")
    site = RunnersSite(live_server.url, token)
    yield Report(site, site.claim(0))
    site.close()


@pytest.fixture
def output(tmp_path):
    folder = tmp_path / "output"
    folder.mkdir()
    return folder


@pytest.fixture
def collector(output, report):
    said = []
    made = Collector(output, report, {"weights": [{"size": 7}]}, say=said.append, stop=threading.Event())
    made.said = said
    return made


@pytest.fixture
def write(answers, copy, output):
    """Writes as torchbench does in a sandbox: the predictions, then the whole list anew under its name."""
    records = []

    def written(right, **changes):
        record, path = answers(right, **changes)
        path.replace(output / record["predictions"]["name"])
        records.append(record)
        (output / "new").write_text(json.dumps(records))
        (output / "new").replace(output / "records.json")

    return written


def until(true):
    deadline = time.monotonic() + 60
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_each_call_is_scored_while_the_next_one_runs(collector, write, copy):
    with collector:
        write(30, name="one.npz", model="One")
        until(lambda: Result.objects.count() == 1)
        write(20, name="two.npz", model="Two")
        until(lambda: Result.objects.count() == 2)
    found = collector.finish()
    assert (found.accepted, found.refused) == (["One", "Two"], [])
    assert [result.rank_value for result in Result.objects.order_by("id")] == [0.75, 0.5]
    assert json.loads(Result.objects.first().record)["weights"] == [{"size": 7}]


def test_what_was_written_last_is_collected_when_nothing_runs_any_more(collector, write):
    write(30)
    assert collector.finish().accepted == ["Net"]


def test_file_written_anew_within_one_tick_of_the_clock_is_read_anew(collector, write, output):
    write(30, name="one.npz", model="One")
    os.utime(output / "records.json", ns=(7, 7))
    with collector:
        until(lambda: Result.objects.count() == 1)
    write(20, name="two.npz", model="Two")
    os.utime(output / "records.json", ns=(7, 7))
    assert collector.finish().accepted == ["One", "Two"]


def test_file_that_changes_all_the_time_takes_a_part_of_a_processor(collector, output):
    junk = json.dumps([{"junk": [[0] * 900 for _ in range(1100)]}, 0])  # nearly a million values
    with collector:
        began, clock = time.monotonic(), time.pthread_getcpuclockid(collector._thread.ident)
        for number in range(200):
            (output / "new").write_text(junk + " " * (number % 7))
            (output / "new").replace(output / "records.json")
            time.sleep(0.02)
        assert time.clock_gettime(clock) / (time.monotonic() - began) < 0.3
    assert len(collector.finish().refused) == 1


@pytest.mark.skipif(os.getuid() != 0, reason="takes another user's part")
def test_folder_closed_against_a_runner_that_is_not_root_is_the_repositorys_fault(collector, write, output):
    write(30, name="one.npz", model="One")
    output.chmod(0)
    output.parent.chmod(0o755)
    os.seteuid(65534)
    try:
        found = collector.finish()
    finally:
        os.seteuid(0)
    assert (found.accepted, len(found.refused)) == ([], 1)


class Surprised(Report):
    """A report with a fault that nobody foresaw."""

    def call(self, number, record, predictions):
        raise RuntimeError("nobody foresaw this")


def test_fault_that_nobody_foresaw_stops_the_evaluation_and_is_raised(output, report, write):
    stop = threading.Event()
    found = Collector(output, Surprised(report.site, report.job), {}, say=print, stop=stop)
    with found:
        write(30, name="one.npz", model="One")
        assert stop.wait(30)
    with pytest.raises(RuntimeError, match="nobody foresaw"):
        found.finish()


def test_bad_call_is_refused_alone_and_the_log_says_why(collector, write, output):
    write(30, name="one.npz", model="One")
    write(30, name="two.npz", model="Two", ids=[f"stranger-{number}" for number in range(40)])
    write(20, name="three.npz", model="Three")
    found = collector.finish()
    assert found.accepted == ["One", "Three"]
    assert [line.partition(":")[0] for line in found.refused] == ["Two"]
    assert any("refused" in line and "other images" in line for line in collector.said)


def sparse(file):
    file.touch()
    os.truncate(file, 1 << 40)


def linked_hard(file):
    """To a file of somebody else's, as far as the reader can know."""
    (file.parent.parent / "secret").write_bytes(b"secret")
    os.link(file.parent.parent / "secret", file)


@pytest.mark.parametrize(
    "attack",
    [
        lambda file: file.symlink_to("/etc/passwd"),
        os.mkfifo,
        lambda file: file.mkdir(),
        lambda file: file.write_text("[" * 100_000),
        lambda file: file.write_text("not JSON"),
        sparse,
        lambda file: file.write_text(json.dumps([{"model": "\x1b[31m\u202e" * 10}] * 201)),
    ],
    ids=["link", "fifo", "folder", "deep", "no JSON", "sparse", "many"],
)
def test_records_file_that_is_none_is_named_and_nothing_else_is_read(collector, output, attack, copy, say):
    attack(output / "records.json")
    with collector:
        pass
    found = collector.finish()
    assert not found.accepted
    assert len(found.refused) == 1
    assert found.refused[0].isprintable()
    say(f"stopped: {found.refused[0]}")


@pytest.mark.parametrize(
    "attack",
    [
        lambda file: file.symlink_to("/etc/passwd"),
        os.mkfifo,
        lambda file: file.mkdir(),
        sparse,
        linked_hard,
        lambda file: None,
    ],
    ids=["link", "fifo", "folder", "sparse", "hard link", "missing"],
)
def test_predictions_that_are_none_are_refused(collector, write, output, attack, say):
    write(30, name="p.npz")
    (output / "p.npz").unlink()
    attack(output / "p.npz")
    found = collector.finish()
    assert (found.accepted, len(found.refused)) == ([], 1)
    say(f"stopped: {found.refused[0]}")


@pytest.mark.parametrize("name", ["../records.json", "/etc/passwd", "a/b", "..", "", 7, ["x"], "a\0b", "\ud800"])
def test_predictions_are_looked_for_beside_the_records_and_nowhere_else(collector, output, name, copy, say):
    record = {
        "format": 1, "task": "t", "dataset_name": "d", "model": "m", "results": {},
        "predictions": {"name": name, "size": 1, "sha256": "0" * 64},
    }  # fmt: skip
    (output / "records.json").write_text(json.dumps([record]))
    found = collector.finish()
    assert (found.accepted, len(found.refused)) == ([], 1)
    say(f"stopped: {found.refused[0]}")
