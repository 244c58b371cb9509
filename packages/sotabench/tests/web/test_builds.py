"""A build's page shows its log as it comes; its owner cancels it and has it run again."""

import pytest

from sotabench.server.builds import leases
from sotabench.server.builds.leases import append_log, end_attempt, renew
from sotabench.server.builds.models import Build
from sotabench.server.builds.services import Status, build_push

PAGE = "/builds/pytorch/vision/1"


@pytest.fixture
def running(vision, db):
    build_push(vision, commit="a" * 40, branch="main")
    return leases.claim(leases.create_runner("here")[0], slot=0)


def test_log_is_read_on_from_where_one_was_and_ends_with_the_build(client, running):
    append_log(running.token, 0, "one\ntwo")
    renew(running.token, stage="evaluate")
    first = client.get(f"{PAGE}/log").json()
    assert first | {"next": 0} == {
        "text": "one\ntwo\n", "next": 0, "is_over": False, "status": "running", "stage": "evaluating",
    }  # fmt: skip
    append_log(running.token, 1, "three")
    second = client.get(f"{PAGE}/log", {"after": first["next"]}).json()
    assert second["text"] == "three\n"
    end_attempt(running.token, Status.FINISHED)
    assert client.get(f"{PAGE}/log", {"after": second["next"]}).json() | {"next": 0} == {
        "text": "", "next": 0, "is_over": True, "status": "finished", "stage": "",
    }  # fmt: skip
    assert client.get(f"{PAGE}/log.txt").content == b"one\ntwo\nthree\n"


@pytest.mark.parametrize("after", ["", "-1", "x", "9" * 30, "\u0663"])
def test_place_in_the_log_that_is_none_is_its_beginning_or_end(client, running, after):
    append_log(running.token, 0, "one")
    assert client.get(f"{PAGE}/log", {"after": after}).json()["text"] in {"one\n", ""}


def test_what_a_build_prints_is_text_on_its_page_and_nothing_else(client, running):
    append_log(running.token, 0, "</pre><script>alert(1)</script>\x1b[2J\u202e")
    text = client.get(PAGE).content.decode()
    assert "&lt;script&gt;alert(1)" in text
    assert "<script>alert" not in text
    assert not {"\x1b", "\u202e"} & set(text)


def test_log_of_a_private_repository_is_its_owners_alone(client, running, vision, ada, bob):
    vision.is_public = False
    vision.save()
    append_log(running.token, 0, "secret")
    client.force_login(bob)
    assert [client.get(f"{PAGE}{end}").status_code for end in ("", "/log", "/log.txt")] == [404, 404, 404]
    client.force_login(ada)
    assert client.get(f"{PAGE}/log").json()["text"] == "secret\n"


def test_owner_cancels_and_runs_again_by_buttons_that_others_do_not_see(client, running, ada, bob):
    client.force_login(bob)
    assert "Cancel" not in client.get(PAGE).content.decode()
    client.force_login(ada)
    assert "Cancel" in client.get(PAGE).content.decode()
    assert client.post(f"{PAGE}/cancel").status_code == 302
    assert Build.objects.get(number=1).status == Status.CANCELLED
    answer = client.post(f"{PAGE}/again", {"full": "yes"})
    assert answer.headers["Location"] == "/builds/pytorch/vision/2"
    assert Build.objects.get(number=2).is_full
    assert client.post(f"{PAGE}/cancel").status_code == 409
