"""What nobody comes back for goes away; what somebody may come back for stays."""

import hashlib
import os
import resource
import subprocess
import sys
import time
from datetime import timedelta

import pytest
from django.contrib.sessions.models import Session
from django.db import connection
from django.utils import timezone

from sotabench.server.benchmarks.models import Result
from sotabench.server.benchmarks.results import keep_file
from sotabench.server.benchmarks.sweeps import remove_unnamed_predictions
from sotabench.server.datasets.files import kept_file
from sotabench.server.datasets.models import Dataset, Part, Upload
from sotabench.server.datasets.services import Announcement, reserve_part, start_upload
from sotabench.server.datasets.sweeps import ABANDONED_AFTER, forget_abandoned_uploads, remove_leftover_bytes
from sotabench.server.sweeping import SWEEPS, Sweep, Sweeper, forget_ended_sessions, remove_working_folders, sweep

A_DAY = timedelta(days=1, seconds=1)
SHA256 = hashlib.sha256(b"x").hexdigest()


@pytest.fixture
def files(settings, tmp_path):
    settings.DATA = tmp_path
    settings.MEDIA_ROOT = tmp_path / "files"
    return settings.MEDIA_ROOT


def write(path, content=b"x"):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def test_predictions_that_the_disk_has_no_room_for_are_not_kept_by_half(files, tmp_path):
    given = write(tmp_path / "p.npz", b"x" * 5000)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, before[1]))
    try:
        with pytest.raises(OSError, match="File too large"):
            keep_file(given, SHA256)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert not [path for path in files.rglob("*") if path.is_file()]
    assert (files / keep_file(given, SHA256).name).read_bytes() == given.read_bytes()


def test_upload_that_nobody_went_on_with_for_a_week_is_forgotten(files, ada, vision):
    upload, _ = start_upload(ada, vision, Announcement("set.tar", 3, SHA256, 2))
    part = write(files / "datasets" / "coming" / str(upload.pk) / "1")
    later = timezone.now() + ABANDONED_AFTER
    assert forget_abandoned_uploads(later - timedelta(hours=1)) == 0
    assert forget_abandoned_uploads(later + timedelta(seconds=1)) == 1
    assert not Upload.objects.exists()
    assert not part.parent.exists()


def test_upload_of_which_a_part_was_begun_this_week_goes_on(files, ada, vision):
    upload, _ = start_upload(ada, vision, Announcement("set.tar", 3, SHA256, 2))
    Upload.objects.update(created_at=timezone.now() - 3 * ABANDONED_AFTER)
    reserve_part(ada, upload.pk)
    assert forget_abandoned_uploads(timezone.now()) == 0
    Part.objects.update(started_time=timezone.now() - 2 * ABANDONED_AFTER)
    assert forget_abandoned_uploads(timezone.now()) == 1


def test_upload_of_a_data_set_is_never_forgotten(files, ada, vision):
    upload, _ = start_upload(ada, vision, Announcement("set.tar", 1, SHA256, 1))
    Upload.objects.update(state="finished")
    dataset = Dataset.objects.create(repository=vision, upload=upload, path=".data/set.tar", size=1, sha256=SHA256)
    later = timezone.now() + 2 * ABANDONED_AFTER
    assert forget_abandoned_uploads(later) == 0
    dataset.delete()
    assert forget_abandoned_uploads(later) == 1


@pytest.mark.django_db(transaction=True)
def test_only_bytes_that_no_row_speaks_of_are_removed_and_only_after_a_day(files, ada, vision):
    upload, _ = start_upload(ada, vision, Announcement("set.tar", 3, SHA256, 2))
    coming, kept = files / "datasets" / "coming", files / "datasets" / "kept" / str(vision.pk)
    stay = [write(coming / str(upload.pk) / "1"), write(kept_file(vision.pk, SHA256))]
    Dataset.objects.create(repository=vision, upload=upload, path=".data/x", size=1, sha256=SHA256)
    left = [
        write(coming / str(upload.pk) / "coming-abc"),
        write(coming / "999" / "1"),
        write(kept / "whole-abc"),
        write(kept / ("0" * 64)),
        write(files / "datasets" / "kept" / "999" / SHA256),
    ]
    assert remove_leftover_bytes(timezone.now()) == 0
    assert remove_leftover_bytes(timezone.now() + A_DAY) == len(left)
    assert not [path for path in left if path.exists()]
    assert [path.read_bytes() for path in stay] == [b"x", b"x"]


@pytest.mark.usefixtures("benchmarks")
def test_predictions_that_a_result_names_or_a_submission_just_brought_stay(files, submit, record, tmp_path):
    (result,) = submit(record())
    named, lost = (keep_file(write(tmp_path / "p.npz"), sha256).name for sha256 in (SHA256, "0" * 64))
    Result.objects.filter(pk=result.pk).update(predictions=named)
    assert remove_unnamed_predictions(timezone.now()) == 0
    os.utime(files / lost, (0, 0))
    keep_file(tmp_path / "p.npz", "0" * 64)  # brought once more
    assert remove_unnamed_predictions(timezone.now()) == 0
    assert remove_unnamed_predictions(timezone.now() + A_DAY) == 1
    assert (files / named).exists()
    assert not (files / lost).exists()


@pytest.mark.django_db
def test_ended_sessions_and_working_folders_go(files, tmp_path, monkeypatch):
    now = timezone.now()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "temporary"))
    write(tmp_path / "temporary" / "sotabench-git-abc" / "bare" / "HEAD")
    write(tmp_path / "temporary" / "kept" / "file")
    (tmp_path / "temporary" / "sotabench-git-link").symlink_to("kept")
    Session.objects.create(session_key="old", expire_date=now - timedelta(seconds=1))
    Session.objects.create(session_key="new", expire_date=now + timedelta(seconds=60))
    write(tmp_path / "working-abc" / "database.jsonl")
    assert (forget_ended_sessions(now), remove_working_folders(now)) == (1, 0)
    assert Session.objects.get().session_key == "new"
    assert remove_working_folders(now + A_DAY) == 2
    assert not (tmp_path / "working-abc").exists()
    assert {one.name for one in (tmp_path / "temporary").iterdir()} == {"kept", "sotabench-git-link"}


def break_connection(_):
    """What a database that restarts does to whoever is connected."""
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute("SELECT pg_terminate_backend(pg_backend_pid())")
        else:
            cursor.execute("SELECT no_such_column")
    return 1


@pytest.mark.django_db(transaction=True)
def test_sweep_that_fails_keeps_no_other_from_running_and_is_tried_again(caplog):
    swept = []

    def count_sessions(now):
        swept.append(Session.objects.filter(expire_date__lt=now).count())
        return 2

    at_once = timedelta(0)
    sweeper = Sweeper((Sweep("breaks", break_connection, at_once), Sweep("counts", count_sessions, at_once)), tick=0.01)
    sweeper.start()
    deadline = time.monotonic() + 20
    while len(swept) < 3 and time.monotonic() < deadline:
        time.sleep(0.01)
    sweeper.stop()
    sweeper.join(timeout=20)
    assert len(swept) >= 3
    facts = [(record.levelname, record.facts) for record in caplog.records if record.name == "sotabench.sweep"]
    assert ("ERROR", {"what": "breaks"}) in facts
    assert ("INFO", {"what": "counts", "count": 2}) in facts


@pytest.mark.django_db(transaction=True)
def test_everything_on_the_list_runs_on_an_empty_site(files):
    assert sweep() == dict.fromkeys((one.what for one in SWEEPS), 0)


def test_command_says_what_it_removed(tmp_path):
    kept = {
        name: value for name, value in os.environ.items() if not name.startswith(("SOTABENCH_", "DJANGO_", "DATABASE"))
    }
    program = [sys.executable, "-c", "import sys; from sotabench.site import main; sys.exit(main())"]
    for command in (["benchmarks", "list"], ["sweep"]):
        done = subprocess.run([*program, *command], env=kept, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert "abandoned uploads: 0\n" in done.stdout
