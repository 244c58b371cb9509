"""An owner hears what got worse: a build that no longer works, a result that fell by more than chance."""

import hashlib
import hmac
import json
from datetime import timedelta

import pytest
from allauth.account.models import EmailAddress
from django.utils import timezone

from benchrecord import InvalidRecord
from sotabench.server.announcing import notices
from sotabench.server.announcing.models import Announcement
from sotabench.server.announcing.notices import send_notices, write_notices
from sotabench.server.builds.models import Build
from sotabench.server.builds.services import build_push
from sotabench.server.repositories.keys import new_notice_secret
from sotabench.server.repositories.models import Repository

pytestmark = pytest.mark.django_db


@pytest.fixture
def ended(vision):
    """Builds of ada's repository that ended one after another."""

    def made(*statuses, **fields):
        for status in statuses:
            build = build_push(vision, commit=f"{vision.builds.count() + 1:040x}", branch="main")
            Build.objects.filter(pk=build.pk).update(status=status, **fields)
        return build

    return made


@pytest.fixture
def adas_mail(ada):
    return EmailAddress.objects.create(user=ada, email="ada@example.org", verified=True, primary=True)


def write():
    return write_notices(timezone.now())


def send(after=timedelta(0)):
    return send_notices(timezone.now() + after)


def test_build_that_fails_after_one_that_worked_is_mailed_once(ended, adas_mail, mailoutbox, settings):
    settings.URL_PUBLIC = "https://bench.example"
    ended("finished", "failed", "failed")
    assert (write(), write()) == (1, 0)
    assert (send(), send()) == (1, 0)
    (mail,) = mailoutbox
    assert mail.to == ["ada@example.org"]
    assert mail.subject == "pytorch/vision #2: the build failed, the one before (#1) worked"
    assert "https://bench.example/builds/github.com/pytorch/vision/2" in mail.body


def test_build_that_cannot_be_judged_keeps_no_other_from_being_told(ended, monkeypatch, caplog):
    def fails(_build):
        raise InvalidRecord("expected a bijection, found none")

    known = notices.lines_about
    build = ended("finished", "failed")
    monkeypatch.setattr(notices, "lines_about", lambda one: (fails if one.number == 1 else known)(one))
    assert write() == 1
    assert Announcement.objects.get(build=build).subject
    assert "cannot be judged" in caplog.text


@pytest.mark.parametrize("statuses", [("finished",), ("failed",), ("failed", "finished"), ("finished", "cancelled")])
def test_owner_hears_nothing_of_what_did_not_get_worse(ended, statuses):
    ended(*statuses)
    assert write() == 0


def test_previews_and_submissions_are_no_news(ended):
    ended("finished")
    ended("failed", is_preview=True)
    ended("failed", origin="submitted")
    assert write() == 0


def test_owner_chooses_what_to_hear_and_unverified_addresses_hear_nothing(ended, adas_mail, mailoutbox):
    Repository.objects.update(tells_breaks=False)
    ended("finished", "failed")
    assert write() == 0
    Announcement.objects.all().delete()
    Repository.objects.update(tells_breaks=True)
    EmailAddress.objects.update(verified=False)
    assert write() == 1
    send()
    assert mailoutbox == []


def test_result_that_fell_by_more_than_chance_is_told_with_its_figures(score_answers, a_build, vision):
    for right in (40, 38, 20):
        build = a_build(status="running", commit=f"{right:040x}")
        score_answers(right, build=build, name=f"{right}.npz")
        Build.objects.filter(pk=build.pk).update(status="finished")
    assert write() == 1
    notice = Announcement.objects.exclude(words="").get()
    assert notice.build.commit == f"{20:040x}"
    assert (
        "Net on Image Classification on ImageNet sample (40) fell by 45.00 points (18 images lost, 0 won"
        in notice.words
    )


def test_result_that_rose_or_whose_owner_does_not_want_to_hear_is_not_told(score_answers, a_build, vision):
    Repository.objects.update(tells_falls=False)
    for right in (40, 10):
        build = a_build(status="running", commit=f"{right:040x}")
        score_answers(right, build=build, name=f"{right}.npz")
        Build.objects.filter(pk=build.pk).update(status="finished")
    assert write() == 0


def test_notice_goes_to_the_owners_address_signed_and_again_after_a_failure(ended, ada, vision, git_host, mailoutbox):
    secret = new_notice_secret(ada, vision)
    Repository.objects.update(tells_url=f"http://{git_host.name}/hook")
    git_host.api = {"/hook": (503, {})}
    ended("finished", "broken")
    write()
    assert (send(), send()) == (0, 0)
    assert len(git_host.seen) == 1
    assert "status 503" in Announcement.objects.exclude(words="").get().trouble
    git_host.api = {"/hook": (200, {})}
    assert send(timedelta(minutes=2)) == 1
    _, _, headers, body = git_host.seen[-1]
    signature = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
    assert headers["X-Sotabench-Signature-256"] == f"sha256={signature}"
    assert (json.loads(body)["build"], json.loads(body)["status"]) == (2, "broken")


def test_address_that_is_not_public_is_sent_nothing(ended, git_host, settings):
    settings.INTERNAL_HOSTS = []
    Repository.objects.update(tells_url=f"https://{git_host.name}/hook")
    git_host.api = {"/hook": (200, {})}
    ended("finished", "failed")
    write()
    send()
    assert "public host" in Announcement.objects.exclude(words="").get().trouble
    assert git_host.seen == []


def test_address_that_is_slow_keeps_no_other_waiting(
    ended, vision, git_host, monkeypatch, adas_mail, mailoutbox, ada, proven
):
    Repository.objects.update(tells_url=f"http://{git_host.name}/hook")
    git_host.api = {"/hook": (200, {})}
    ended("finished", "broken", "finished", "broken")
    net = Repository.objects.create(host="github.com", owner_name="ada", name="net", owner=ada, **proven)
    for number, status in enumerate(("finished", "failed")):
        build = build_push(net, commit=f"{number:040x}", branch="main")
        Build.objects.filter(pk=build.pk).update(status=status)
    assert write() == 3
    monkeypatch.setattr(notices, "PATIENCE", 0)
    assert (send(), len(git_host.seen), len(mailoutbox)) == (2, 1, 2)
    assert (send(), len(git_host.seen), len(mailoutbox)) == (1, 2, 3)
