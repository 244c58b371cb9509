"""A runner's calls: claimed builds, leases and logs over HTTP."""

import hashlib
import json

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from sotabench.server.builds import leases
from sotabench.server.builds.models import Attempt, LogChunk, Runner
from sotabench.server.builds.services import Status, build_push, cancel_build
from sotabench.server.datasets.files import kept_file
from sotabench.server.datasets.models import Dataset
from sotabench.server.repositories.models import Keys, Repository
from sotabench.server.repositories.services import approve, drain, withdraw_approval

pytestmark = pytest.mark.django_db


@pytest.fixture
def ask():
    """A call in a runner's name: status and JSON."""
    _, token = leases.create_runner("lab")

    def asked(call, attempt="", method="POST", token=token, **body):
        headers = {"Authorization": f"Bearer {token}", "X-Attempt": attempt}
        address = f"/api/runner/{call}"
        answer = Client().generic(method, address, json.dumps(body), content_type="application/json", headers=headers)
        return answer.status_code, answer.json() if "json" in answer.headers["Content-Type"] else answer

    asked.token = token
    return asked


def test_runner_says_what_it_is_and_is_out_of_service_while_it_has_trouble(ask, vision):
    build_push(vision, commit="a" * 40, branch="main")
    assert ask("hello", facts={"processor": "A"}, trouble="no bubblewrap") == (
        200,
        {"name": "lab", "is_drained": False},
    )
    assert ask("claim", slot=0) == (200, {})
    ask("hello", is_trusting=True)
    assert ask("claim", slot=0)[1]["build"]["number"] == 1
    assert Attempt.objects.get().is_trusting
    assert Runner.objects.get().seen_at


def test_claimed_build_comes_with_what_is_needed_and_no_secret_of_the_site(ask, vision):
    build_push(vision, commit="a" * 40, branch="main")
    _, job = ask("claim", slot=0)
    assert job["build"] == {"number": 1, "commit": "a" * 40, "branch": "main", "is_full": False}
    assert job["repository"]["name"] == "github.com/pytorch/vision"
    assert ask("claim", slot=1) == (200, {})


def test_build_whose_deploy_key_cannot_be_read_ends_and_says_why(ask, vision):
    Keys.objects.create(repository=vision, deploy_key="sealed under another key")
    build = build_push(vision, commit="a" * 40, branch="main")
    for _ in range(leases.MOST_ATTEMPTS):
        assert ask("claim", slot=0) == (200, {})
    build.refresh_from_db()
    assert (build.status, build.attempts.filter(ended_at=None).count()) == (Status.BROKEN, 0)
    assert "secret key" in build.reason


def test_nothing_begins_while_the_site_drains_or_the_repository_may_not_be_built(ask, vision):
    build_push(vision, commit="a" * 40, branch="main")
    drain(on=True)
    assert ask("claim", slot=0) == (200, {})
    drain(on=False)
    withdraw_approval(vision)
    assert ask("claim", slot=0) == (200, {})
    approve(vision)
    for held in ({"proven_by": ""}, {"moved_to": "pytorch/new"}):
        Repository.objects.filter(pk=vision.pk).update(**held)
        assert ask("claim", slot=0) == (200, {})
        Repository.objects.filter(pk=vision.pk).update(proven_by="file", moved_to="")
    assert ask("claim", slot=0)[1]["build"]["number"] == 1


def test_attempt_is_renewed_logged_and_ended_by_its_token_alone(ask, vision):
    build = build_push(vision, commit="a" * 40, branch="main")
    token = ask("claim", slot=0)[1]["token"]
    assert ask("renew", token, stage="evaluate") == (200, {"lease_seconds": 60})
    assert ask("log", token, number=0, text="hello\nworld")[0] == 200
    assert LogChunk.objects.get().text == "hello\nworld"
    for wrong in ("", "x", token[:-1]):
        assert ask("end", wrong, status="finished")[0] == 409
    assert ask("end", token, status="on fire")[0] == 400
    assert ask("end", token, status="finished") == (200, {"status": "finished"})
    assert ask("end", token, status="failed")[0] == 409
    build.refresh_from_db()
    assert build.status == Status.FINISHED


@pytest.mark.parametrize("text", ["NUL \0", "half \ud800", float("nan"), {"deep": ["NUL \0"]}])
def test_what_no_database_stores_is_refused(ask, vision, text):
    build_push(vision, commit="a" * 40, branch="main")
    assert ask("hello", facts={"processor": text})[0] == 400
    token = ask("claim", slot=0)[1]["token"]
    assert ask("inputs", token, inputs={"tree": text})[0] == 400
    assert ask("inputs", token, inputs={"tree": "a backslash \\u0000"})[0] == 200


def test_cancelled_build_is_refused_with_the_reason(ask, vision, ada):
    build = build_push(vision, commit="a" * 40, branch="main")
    token = ask("claim", slot=0)[1]["token"]
    build.refresh_from_db()
    cancel_build(ada, build)
    status, answer = ask("renew", token)
    assert status == 409
    assert "cancelled by ada" in answer["message"]


def test_revoked_runner_and_a_users_token_ask_nothing(ask, ada):
    Runner.objects.update(digest="another")
    assert ask("claim", slot=0)[0] == 401


def test_uploaded_data_set_is_given_to_an_attempt_of_its_own_repository_only(ask, vision, ada, tmp_path, settings):
    settings.MEDIA_ROOT = tmp_path
    sha256 = hashlib.sha256(b"data").hexdigest()
    upload = vision.uploads.create(
        user=ada, path=".data/x", size=4, sha256=sha256, part_size=4, part_number=1, state="finished"
    )
    Dataset.objects.create(repository=vision, upload=upload, path=".data/x", size=4, sha256=sha256)
    file = kept_file(vision.pk, sha256)
    file.parent.mkdir(parents=True)
    file.write_bytes(b"data")
    build_push(vision, commit="a" * 40, branch="main")
    _, job = ask("claim", slot=0)
    assert job["files"] == [{"path": ".data/x", "sha256": sha256, "size": 4}]
    status, answer = ask(f"files/{sha256}", job["token"], method="GET")
    assert (status, b"".join(answer.streaming_content)) == (200, b"data")
    assert ask("files/" + "0" * 64, job["token"], method="GET")[0] == 404
    assert ask(f"files/{sha256}", "x", method="GET")[0] == 409


def test_runner_is_heard_on_a_site_for_members_only(ask, settings):
    settings.MEMBERS_ONLY = True
    assert ask("claim", slot=0) == (200, {})


def test_calls_are_scored_as_they_come_and_a_bad_one_is_refused_alone(ask, vision, copy, answers):
    build_push(vision, commit="a" * 40, branch="main")
    _, job = ask("claim", slot=0)
    assert [data["dataset_name"] for data in job["data"]] == ["ImageNet"]
    assert ask("inputs", job["token"], inputs={"tree": "t"}) == (200, {"carried_from": None, "done": []})

    def hand_in(record, path):
        files = {"record": SimpleUploadedFile("record.json", json.dumps([record]).encode()), "number": 1}
        if path:
            files["predictions"] = SimpleUploadedFile("p.npz", path.read_bytes())
        headers = {"Authorization": f"Bearer {ask.token}", "X-Attempt": job["token"]}
        answer = Client().post("/api/runner/calls", files, headers=headers)
        return answer.status_code, answer.json()

    record, path = answers(30)
    status, answer = hand_in(record, None)
    assert status == 400
    assert "predictions" in answer["errors"][0]
    status, answer = hand_in(record, path)
    assert (status, answer["model"]) == (200, "Net")
    assert vision.results.get().pk == answer["result"]
