"""Uploads meet each other, and a disk that forgets."""

import hashlib
from io import BytesIO

import pytest

from sotabench.server.datasets import services
from sotabench.server.datasets.files import kept_file
from sotabench.server.datasets.models import Dataset, Part
from sotabench.server.datasets.services import (
    Announcement,
    end_part,
    end_upload,
    receive_part,
    remove_unless_wanted,
    reserve_part,
    start_part,
    start_upload,
)
from sotabench.server.errors import Conflict, Invalid
from sotabench.server.repositories.models import Repository

CONTENT = b"ten bytes!"


@pytest.fixture(autouse=True)
def _files(settings, tmp_path):
    settings.MEDIA_ROOT = tmp_path / "files"


def announced(path="set.tar", content=CONTENT):
    return Announcement(path, len(content), hashlib.sha256(content).hexdigest(), 4)


def send_parts(user, upload, content=CONTENT):
    """Send what is asked for; how many parts that were."""
    count = 0
    while part := reserve_part(user, upload.pk):
        part = start_part(user, upload.pk, part.no)
        begin = (part.no - 1) * 4
        body = BytesIO(content[begin : begin + part.size])
        end_part(user, upload.pk, part.no, etag=receive_part(part.pk, body))
        count += 1
    return count


def test_part_that_the_disk_lost_is_asked_for_again(ada, vision, settings):
    upload, _ = start_upload(ada, vision, announced())
    send_parts(ada, upload)
    (settings.MEDIA_ROOT / "datasets" / "coming" / str(upload.pk) / "2").unlink()
    with pytest.raises(Invalid, match="start it again"):
        end_upload(ada, upload.pk)
    again, exists = start_upload(ada, vision, announced())
    assert (again, exists, send_parts(ada, again)) == (upload, False, 1)
    assert end_upload(ada, upload.pk).state == "finished"


def test_path_that_became_a_folder_meanwhile_is_not_a_file_too(ada, vision):
    file, _ = start_upload(ada, vision, announced("a"))
    below, _ = start_upload(ada, vision, announced("a/b", b"eleven byte"))
    send_parts(ada, file)
    send_parts(ada, below, b"eleven byte")
    end_upload(ada, file.pk)
    with pytest.raises(Conflict, match="no folder of another"):
        end_upload(ada, below.pk)
    assert Dataset.objects.get().path == ".data/a"


@pytest.mark.django_db(transaction=True)
def test_bytes_that_came_again_while_they_were_deleted_stay(ada, vision):
    upload, _ = start_upload(ada, vision, announced())
    send_parts(ada, upload)
    end_upload(ada, upload.pk)
    kept = kept_file(vision.pk, upload.sha256)
    assert not remove_unless_wanted(vision.pk, upload.sha256)
    assert kept.read_bytes() == CONTENT
    services.delete_dataset(ada, Dataset.objects.get())
    assert not kept.exists()


def test_another_repository_gives_no_more_room(ada, vision, monkeypatch):
    monkeypatch.setattr(services, "MOST_BYTES_A_USER", 15)
    start_upload(ada, vision, announced())
    other = Repository.objects.create(host="github.com", owner_name="ada", name="other", owner=ada)
    with pytest.raises(Conflict, match="at most 5 more bytes for ada"):
        start_upload(ada, other, announced())


def test_uploads_that_are_only_begun_have_an_end(ada, vision, monkeypatch):
    monkeypatch.setattr(services, "MOST_UPLOADS_AT_ONCE", 2)
    start_upload(ada, vision, announced("a"))
    start_upload(ada, vision, announced("b"))
    with pytest.raises(Conflict, match="2 uploads at once"):
        start_upload(ada, vision, announced("c"))
    assert start_upload(ada, vision, announced("b"))[0].path == ".data/b"
    assert Part.objects.count() == 6
