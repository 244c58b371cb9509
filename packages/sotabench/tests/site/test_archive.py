"""A backup holds all of a site, and a restore makes it again."""

import json
import os
import stat
import tarfile

import pytest
from django.apps import apps
from django.core.management import call_command

from sotabench.server.accounts.models import ApiToken, User
from sotabench.server.accounts.services import create_token
from sotabench.server.archive import BadArchive, add_file, restore_archive, write_archive
from sotabench.server.benchmarks.models import Result

OURS = ("accounts", "repositories", "builds", "papers", "benchmarks", "datasets")


@pytest.fixture
def folder(settings, tmp_path):
    settings.DATA = tmp_path / "data"
    settings.MEDIA_ROOT = settings.DATA / "files"
    settings.MEDIA_ROOT.mkdir(parents=True)
    (settings.DATA / "secret-key").write_text("the key\n")
    (settings.DATA / "numbers-secret").write_text("the other\n")
    (settings.DATA / "known_hosts").write_text("[git.example.org]:22 ssh-ed25519 AAAA\n")
    return settings.DATA


def all_rows():
    models = [model for app in OURS for model in apps.get_app_config(app).get_models()]
    return {model._meta.label: list(model.objects.order_by("pk").values()) for model in models}


@pytest.mark.django_db(transaction=True, reset_sequences=True)
def test_what_was_backed_up_is_restored_row_for_row_and_file_for_file(folder, submit, record, resnexts, ada, settings):
    create_token(ada, name="laptop")
    submit(record())
    submit(record(results={"Top 1 Accuracy": 0.8}))
    (folder / "files" / "predictions").mkdir()
    (folder / "files" / "predictions" / "a.npz").write_bytes(b"bytes")
    before = all_rows()
    assert Result.objects.filter(superseded_by__isnull=False).count() == 1

    archive = folder.parent / "backup.tar.gz"
    write_archive(archive)
    assert stat.S_IMODE(archive.stat().st_mode) == 0o600

    call_command("flush", interactive=False, verbosity=0)
    settings.DATA = folder.parent / "other"
    settings.MEDIA_ROOT = settings.DATA / "files"
    settings.MEDIA_ROOT.mkdir(parents=True)
    restore_archive(archive)
    assert all_rows() == before
    assert (settings.MEDIA_ROOT / "predictions" / "a.npz").read_bytes() == b"bytes"
    key = settings.DATA / "secret-key"
    assert (key.read_text(), stat.S_IMODE(key.stat().st_mode)) == ("the key\n", 0o600)
    secret = settings.DATA / "numbers-secret"
    assert (secret.read_text(), stat.S_IMODE(secret.stat().st_mode)) == ("the other\n", 0o600)
    hosts = settings.DATA / "known_hosts"
    assert (hosts.read_text(), stat.S_IMODE(hosts.stat().st_mode)) == ("[git.example.org]:22 ssh-ed25519 AAAA\n", 0o600)
    assert User.objects.create_user("later", password="correct horse battery").pk != ada.pk


@pytest.mark.django_db(transaction=True)
def test_site_in_use_is_not_restored_over(folder, ada):
    archive = folder.parent / "backup.tar.gz"
    write_archive(archive)
    with pytest.raises(BadArchive, match="expected an empty site"):
        restore_archive(archive)
    assert User.objects.get() == ada


@pytest.mark.django_db(transaction=True)
def test_archive_of_another_version_is_refused(folder):
    archive = folder.parent / "backup.tar.gz"
    manifest = folder.parent / "manifest.json"
    manifest.write_text(json.dumps({"format": 1, "migrations": [["accounts", "0001_initial"]]}))
    with tarfile.open(archive, "w:gz") as file:
        file.add(manifest, arcname="manifest.json")
    with pytest.raises(BadArchive, match="the version that wrote it"):
        restore_archive(archive)


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("content", [b"", b"not an archive"])
def test_file_that_is_no_archive_is_refused(folder, content):
    archive = folder.parent / "backup.tar.gz"
    archive.write_bytes(content)
    with pytest.raises(BadArchive):
        restore_archive(archive)


@pytest.mark.django_db(transaction=True)
def test_archive_that_points_out_of_the_folder_is_refused(folder):
    good, bad = folder.parent / "good.tar.gz", folder.parent / "bad.tar.gz"
    write_archive(good)
    with tarfile.open(good) as source, tarfile.open(bad, "w:gz") as target:
        for member in source.getmembers():
            target.addfile(member, source.extractfile(member))
        target.add(folder / "secret-key", arcname="files/../../../evil")
    with pytest.raises(BadArchive):
        restore_archive(bad)
    assert not ApiToken.objects.exists()
    assert not list(folder.parent.rglob("evil"))


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE])
def test_archive_with_anything_but_files_is_refused(folder, kind):
    """A link that stays inside where it is unpacked leads to this site's secret key from where its files belong."""
    good, bad = folder.parent / "good.tar.gz", folder.parent / "bad.tar.gz"
    write_archive(good)
    with tarfile.open(good) as source, tarfile.open(bad, "w:gz") as target:
        for member in source.getmembers():
            if member.name != "secret-key":
                target.addfile(member, source.extractfile(member))
        strange = tarfile.TarInfo("files/datasets/kept/1/" + "0" * 64)
        strange.type, strange.linkname = kind, "manifest.json" if kind == tarfile.LNKTYPE else "../../../../secret-key"
        target.addfile(strange)
    with pytest.raises(BadArchive, match="plain files"):
        restore_archive(bad)
    assert not ApiToken.objects.exists()
    assert not list((folder / "files").rglob("0*"))


@pytest.mark.django_db(transaction=True)
def test_damaged_archive_is_refused_in_one_line(folder, ada, settings):
    (folder / "files" / "a.npz").write_bytes(os.urandom(200_000))
    archive = folder.parent / "backup.tar.gz"
    write_archive(archive)
    call_command("flush", interactive=False, verbosity=0)
    content = bytearray(archive.read_bytes())
    for place in (len(content) // 2, len(content) // 3):
        broken = folder.parent / f"broken-{place}.tar.gz"
        broken.write_bytes(content[:place] + os.urandom(500) + content[place + 500 :])
        with pytest.raises(BadArchive):
            restore_archive(broken)
    assert not User.objects.exists()


def test_file_that_goes_away_meanwhile_ends_no_backup(tmp_path):
    (tmp_path / "b").write_bytes(b"x")
    (tmp_path / "c").symlink_to("b")
    with tarfile.open(tmp_path / "backup.tar", "w") as archive:
        assert [add_file(archive, tmp_path / name, name) for name in "abc"] == [False, True, False]
        assert archive.getnames() == ["b"]


@pytest.mark.django_db(transaction=True)
def test_backup_takes_the_place_of_an_older_one_and_of_nothing_else(folder):
    outside = folder.parent
    (outside / "notes.txt").write_text("mine")
    (folder / "database.sqlite3").write_bytes(b"SQLite format 3")
    os.mkfifo(outside / "pipe")
    refused = {
        outside / "notes.txt": "a backup to take the place of",
        outside / "pipe": "a backup to take the place of",
        outside: "found the folder",
        outside / "none" / "backup.tar.gz": "expected a folder at",
        folder / "database.sqlite3": "outside of the site's folder",
        folder / "files" / "backup.tar.gz": "outside of the site's folder",
    }
    before = sorted(outside.rglob("*"))
    for place, said in refused.items():
        with pytest.raises(BadArchive, match=said):
            write_archive(place)
    assert sorted(outside.rglob("*")) == before
    assert (outside / "notes.txt").read_text() == "mine"
    (outside / "backup.tar.gz").touch()
    for _ in range(2):
        write_archive(outside / "backup.tar.gz")
    assert tarfile.is_tarfile(outside / "backup.tar.gz")
