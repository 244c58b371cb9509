import hashlib
from urllib.parse import urlsplit

import pytest
from django.core import signing

from sotabench.server.datasets import services
from sotabench.server.datasets.models import Part
from sotabench.server.errors import Conflict

CONTENT = b"ten bytes!"
DATASETS = "/api/v0/repositories/pytorch/vision/datasets/"


def announcement(content=CONTENT, path=".data/vision/set.tar", **changes):
    digest = hashlib.sha256(content).hexdigest()
    facts = {"repository": "pytorch/vision", "path": path, "size": len(content), "sha256": digest, "part_size": 4}
    return facts | changes


def start(program, **changes):
    return program.ask("POST", "/api/v0/upload/start/", announcement(**changes))


def reserve(program, upload):
    return program.ask("POST", "/api/v0/upload/part/reserve/", {"upload_id": upload["id"]})[1]


def send(program, client, part, content=CONTENT):
    """Start, put and end one part; the statuses on the way."""
    started, part = program.ask("POST", "/api/v0/upload/part/start/", part)
    begin = (part["no"] - 1) * 4
    put = client.put(urlsplit(part["presigned_url"]).path, content[begin : begin + part["size"]])
    ended, part = program.ask("POST", "/api/v0/upload/part/end/", part | {"etag": put.headers.get("ETag")})
    return started, put.status_code, ended


def send_all(program, client, upload, content=CONTENT):
    sent = []
    while part := reserve(program, upload):
        assert send(program, client, part, content) == (200, 200, 200)
        sent.append(part["no"])
    return sent


def end(program, upload):
    return program.ask("POST", "/api/v0/upload/end/", {"upload_id": upload["id"]})


@pytest.fixture(autouse=True)
def _data_folder(settings, tmp_path):
    settings.MEDIA_ROOT = tmp_path / "files"


def files_under(folder):
    return sorted(path.read_bytes() for path in folder.rglob("*") if path.is_file())


def test_parts_become_the_repositorys_data_set(adas, client, vision, tmp_path, django_capture_on_commit_callbacks):
    status, upload = start(adas)
    assert (status, upload["state"], upload["part_number"]) == (200, "queued", 3)
    assert send_all(adas, client, upload) == [1, 2, 3]
    assert end(adas, upload)[1]["state"] == "finished"
    (row,) = adas.ask("GET", DATASETS)[1]
    assert (row["dataset"], row["size"]) == (".data/vision/set.tar", 10)
    assert adas.ask("GET", f"{DATASETS}?dataset=vision/set.tar")[1] == row
    assert files_under(tmp_path) == [CONTENT]
    with django_capture_on_commit_callbacks(execute=True):
        assert adas.ask("DELETE", DATASETS, {"dataset": ".data/vision/set.tar"}) == (200, {"status": "OK"})
    assert files_under(tmp_path) == []


def test_started_again_only_what_is_missing_is_asked_for(adas, client, vision):
    _, upload = start(adas)
    send(adas, client, reserve(adas, upload))
    reserve(adas, upload)  # and then the client is killed
    _, again = start(adas)
    assert (again["id"], again["state"]) == (upload["id"], "started")
    assert send_all(adas, client, again) == [2, 3]
    assert end(adas, again)[0] == 200


def test_two_clients_reserve_different_parts(adas, vision):
    _, upload = start(adas)
    parts = [reserve(adas, upload) for _ in range(4)]
    assert [part.get("no") for part in parts] == [1, 2, 3, None]


def test_known_bytes_exist_within_the_repository_only(adas, bobs, bob, client, vision):
    _, upload = start(adas)
    send_all(adas, client, upload)
    end(adas, upload)
    assert start(adas)[1]["state"] == "exists"
    assert start(adas, path=".data/copy.tar")[1]["state"] == "exists"
    assert [row["dataset"] for row in adas.ask("GET", DATASETS)[1]] == [".data/copy.tar", ".data/vision/set.tar"]
    vision.pk, vision.owner, vision.name = None, bob, "other"
    vision.save()
    assert start(bobs, repository="pytorch/other")[1]["state"] == "queued"


def test_copy_keeps_its_bytes_when_the_first_one_is_deleted(
    adas, client, vision, tmp_path, django_capture_on_commit_callbacks
):
    _, upload = start(adas)
    send_all(adas, client, upload)
    end(adas, upload)
    start(adas, path=".data/copy.tar")
    with django_capture_on_commit_callbacks(execute=True):
        adas.ask("DELETE", DATASETS, {"dataset": ".data/vision/set.tar"})
    assert files_under(tmp_path) == [CONTENT]


def test_other_bytes_than_announced_are_not_kept(adas, client, vision, tmp_path):
    _, upload = start(adas, sha256="0" * 64)
    send_all(adas, client, upload)
    status, answer = end(adas, upload)
    assert status == 400
    assert "SHA-256" in answer["errors"][0]
    assert files_under(tmp_path) == []
    assert adas.ask("GET", DATASETS)[1] == []
    assert start(adas, sha256="0" * 64)[1]["id"] != upload["id"]


@pytest.mark.parametrize("body", [b"", b"abc", b"abcde", b"a" * 5000])
def test_part_of_another_length_is_refused(adas, client, vision, tmp_path, body):
    part = reserve(adas, start(adas)[1])
    _, part = adas.ask("POST", "/api/v0/upload/part/start/", part)
    assert client.put(urlsplit(part["presigned_url"]).path, body).status_code == 400
    assert files_under(tmp_path) == []


def test_part_with_another_digest_than_announced_is_refused(adas, client, vision):
    part = reserve(adas, start(adas)[1])
    assert send(adas, client, part | {"sha256": "1" * 64}) == (200, 400, 409)


def test_part_that_never_came_cannot_be_ended(adas, vision):
    part = reserve(adas, start(adas)[1])
    assert adas.ask("POST", "/api/v0/upload/part/end/", part | {"etag": ""})[0] == 409


def test_upload_with_a_part_missing_cannot_be_ended(adas, client, vision):
    _, upload = start(adas)
    send(adas, client, reserve(adas, upload))
    status, answer = end(adas, upload)
    assert status == 409
    assert "2 missing" in answer["message"]


def test_ended_upload_takes_no_more_bytes(adas, client, vision):
    _, upload = start(adas)
    part = reserve(adas, upload)
    _, started = adas.ask("POST", "/api/v0/upload/part/start/", part)
    send(adas, client, part)
    send_all(adas, client, upload)
    end(adas, upload)
    assert client.put(urlsplit(started["presigned_url"]).path, b"evil").status_code == 409
    assert end(adas, upload)[0] == 409


def test_address_of_a_part_is_signed_and_expires(adas, client, vision, monkeypatch):
    part = reserve(adas, start(adas)[1])
    _, part = adas.ask("POST", "/api/v0/upload/part/start/", part)
    path = urlsplit(part["presigned_url"]).path
    assert client.put(path[:-1] + ("a" if path[-1] != "a" else "b"), b"ten ").status_code == 403
    value, _, signature = path.rpartition(":")
    clock = signing.time.time
    monkeypatch.setattr(signing.time, "time", lambda: clock() + 3700)
    assert client.put(f"{value}:{signature}", b"ten ").status_code == 403


def test_upload_of_somebody_else_is_not_there(adas, bobs, vision):
    _, upload = start(adas)
    part = reserve(adas, upload)
    assert end(bobs, upload)[0] == 404
    assert bobs.ask("POST", "/api/v0/upload/part/start/", part)[0] == 404
    assert bobs.ask("POST", "/api/v0/upload/part/reserve/", {"upload_id": upload["id"]})[0] == 404


@pytest.mark.parametrize(
    "path",
    [
        "/etc/passwd",
        "../x",
        ".data/../x",
        "a/../../x",
        "a\\b",
        "a\nb",
        "a\0b",
        "a\u202eb",
        "",
        ".",
        ".data",
        "a/",
        "x" * 256,
    ],
)
def test_path_that_leaves_the_folder_is_refused(adas, vision, path):
    assert start(adas, path=path)[0] == 400
    assert not vision.uploads.exists()


@pytest.mark.parametrize("path", ["vision/set.tar", "./.data/vision/set.tar", ".data//vision/./set.tar"])
def test_spellings_of_a_path_are_one_path(adas, vision, path):
    assert start(adas, path=path)[1]["path"] == ".data/vision/set.tar"


def test_file_cannot_be_the_folder_of_another(adas, client, vision):
    _, upload = start(adas, path="a/b")
    send_all(adas, client, upload)
    end(adas, upload)
    assert start(adas, path="a")[0] == start(adas, path="a/b/c")[0] == 409


@pytest.mark.parametrize(
    "wrong",
    [
        {"size": 0},
        {"size": -1},
        {"size": 2**62},
        {"part_size": 0},
        {"part_size": 2**40},
        {"size": 2**32},
        {"sha256": "A" * 64},
    ],
)
def test_sizes_out_of_bounds_are_refused(adas, vision, wrong):
    assert start(adas, **wrong)[0] == 400
    assert not vision.uploads.exists()


def test_other_content_at_a_path_takes_the_earlier_uploads_place(adas, vision):
    _, first = start(adas)
    _, second = start(adas, content=b"other bytes")
    assert first["id"] != second["id"]
    assert vision.uploads.count() == 1


class Slowly:
    """Bytes of a part, before the last of which something else happens."""

    def __init__(self, content, meanwhile):
        self._parts = iter((content[:1], content[1:]))
        self._meanwhile = meanwhile

    def read(self, size):
        part = next(self._parts, b"")
        if len(part) > 1:
            self._meanwhile()
        return part[:size]


def test_bytes_that_come_while_another_upload_takes_the_place_are_refused(
    adas, vision, tmp_path, django_capture_on_commit_callbacks
):
    _, upload = start(adas)
    _, part = adas.ask("POST", "/api/v0/upload/part/start/", reserve(adas, upload))
    key = Part.objects.get(upload=upload["id"], no=part["no"]).pk

    def start_another():
        with django_capture_on_commit_callbacks(execute=True):
            assert start(adas, content=b"other bytes")[0] == 200

    with pytest.raises(Conflict, match="taken its place"):
        services.receive_part(key, Slowly(CONTENT[:4], start_another))
    assert files_under(tmp_path) == []
