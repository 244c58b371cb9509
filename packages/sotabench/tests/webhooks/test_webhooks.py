"""What git hosts say is believed on their signature alone, and once."""

import hashlib
import hmac
import json
from datetime import timedelta
from pathlib import Path
from urllib.parse import urlencode

import pytest
from django.utils import timezone

from sotabench.server.builds.models import Build
from sotabench.server.builds.pushes import forget_deliveries
from sotabench.server.repositories.keys import new_webhook_secret
from sotabench.server.repositories.models import Delivery, Repository

GITHUB = Path(__file__).parent / "github"
AFTER = "6113728f27ae82c7b1a177c8d03f9e96e0adf246"


def github(name, **changes):
    """One of GitHub's own examples, pushed just now."""
    payload = json.loads((GITHUB / f"{name}.json").read_text())
    if isinstance(payload["repository"].get("pushed_at"), int):
        payload["repository"]["pushed_at"] = int(timezone.now().timestamp())
    payload["repository"] |= changes.pop("repository", {})
    return json.dumps(payload | changes).encode()


def gitlab(**changes):
    """As GitLab's documentation shows a push, shortened."""
    project = {"path_with_namespace": "mike/diaspora", "default_branch": "master", "id": 15}
    payload = {
        "object_kind": "push", "event_name": "push", "ref": "refs/heads/master", "checkout_sha": AFTER,
        "before": "95790bf891e76fee5e1747ab589903a6a1f80f22", "after": AFTER, "project_id": 15, "project": project,
        "repository": {"name": "Diaspora", "url": "git@example.com:mike/diaspora.git"}, "total_commits_count": 4,
    }  # fmt: skip
    return json.dumps(payload | changes).encode()


def gitea(**changes):
    """As Forgejo's documentation shows a push, shortened."""
    repository = {"id": 140, "full_name": "gitea/webhooks", "default_branch": "develop"}
    payload = {"ref": "refs/heads/develop", "before": "0" * 40, "after": AFTER, "repository": repository}
    return json.dumps(payload | changes).encode()


@pytest.fixture
def hello(ada, proven):
    """ada's repository that GitHub's examples are about."""
    facts = {"host": "github.com", "owner_name": "Codertocat", "name": "Hello-World", "default_branch": "master"}
    return Repository.objects.create(owner=ada, **facts, **proven)


@pytest.fixture
def secret(ada, hello):
    return new_webhook_secret(ada, hello)


@pytest.fixture
def send(client):
    """Send a body as GitHub does, signed with `secret`; the status and the answer's JSON."""

    def sent(repository, body, secret, *, event="push", content_type="application/json", **headers):
        signature = "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
        said = {"X-GitHub-Event": event, "X-GitHub-Delivery": "d", "X-Hub-Signature-256": signature} | headers
        said = {name: value for name, value in said.items() if value is not None}
        key = repository if isinstance(repository, int) else repository.pk
        answer = client.post(f"/webhooks/{key}", body, content_type=content_type, headers=said)
        return answer.status_code, answer.json()

    return sent


def test_push_to_the_default_branch_is_one_build(send, hello, secret):
    status, said = send(hello, github("push_branch"), secret)
    assert (status, said) == (202, {"outcome": "build #1", "build": 1})
    build = Build.objects.get()
    assert (build.commit, build.branch, build.origin, build.status) == (AFTER, "master", "pushed", "queued")


def test_form_encoded_push_is_the_same(send, hello, secret):
    body = urlencode({"payload": github("push_branch").decode()}).encode()
    status, said = send(hello, body, secret, content_type="application/x-www-form-urlencoded")
    assert (status, said["build"]) == (202, 1)


@pytest.mark.parametrize(
    ("body", "event", "reason"),
    [
        (github("ping", repository={"full_name": "Codertocat/Hello-World"}), "ping", "the webhook works"),
        (github("push_tag"), "push", "it is a tag"),
        (github("push_deleted"), "push", "it is a tag"),
        (github("push_branch", deleted=True), "push", "the branch was deleted"),
        (github("push_branch", after="0" * 40), "push", "the branch was deleted"),
        (github("push_branch", ref="refs/heads/topic"), "push", "only master is built at a push"),
        (github("push_branch", ref="refs/notes/x"), "push", "it is no branch"),
        (github("push_branch"), "issues", "only pushes are built"),
    ],
)
def test_what_is_no_push_to_the_default_branch_is_ignored_with_a_reason(send, hello, secret, body, event, reason):
    assert send(hello, body, secret, event=event) == (202, {"outcome": f"ignored: {reason}", "build": None})
    assert not Build.objects.exists()
    assert Delivery.objects.get().outcome == f"ignored: {reason}"


@pytest.mark.parametrize(
    "changed",
    [
        {"X-Hub-Signature-256": None},
        {"X-Hub-Signature-256": ""},
        {"X-Hub-Signature-256": "sha256="},
        {"X-Hub-Signature-256": "sha256=" + "0" * 64},
        {"X-Hub-Signature-256": "sha1=" + "0" * 40},
        {"X-Hub-Signature-256": None, "X-Gitlab-Token": "wrong"},
        {"X-Hub-Signature-256": None, "X-Gitlab-Token": ""},
        {"X-Hub-Signature-256": None, "X-Gitea-Signature": "0" * 64},
        {"X-Hub-Signature-256": "sha256=" + "0" * 64, "X-Gitlab-Token": "\u00e9"},
    ],
)
def test_wrong_signature_is_refused_and_leaves_nothing(send, hello, secret, changed):
    status, said = send(hello, github("push_branch"), secret, **changed)
    assert status == 403
    assert "secret" in said["message"]
    assert not Build.objects.exists()
    assert not Delivery.objects.exists()


def test_secret_of_another_repository_is_refused(send, hello, secret, vision, ada):
    other = new_webhook_secret(ada, vision)
    assert send(hello, github("push_branch"), other)[0] == 403
    assert send(hello, github("push_branch"), "")[0] == 403


def test_repository_that_is_not_there_or_has_no_secret_answers_like_a_wrong_signature(send, hello, db):
    answers = [send(key, github("push_branch"), "x") for key in (hello.pk, 10**6, 2**63)]
    assert answers[0][0] == 403
    assert answers[0] == answers[1] == answers[2]


def test_old_secret_ends_when_a_new_one_is_made(send, hello, secret, ada):
    new = new_webhook_secret(ada, hello)
    assert send(hello, github("push_branch"), secret)[0] == 403
    assert send(hello, github("push_branch"), new)[0] == 202


def test_replayed_message_is_refused_whatever_delivery_it_says_to_be(send, hello, secret):
    body = github("push_branch")
    assert send(hello, body, secret)[0] == 202
    for delivery in ("d", "another"):
        assert send(hello, body, secret, **{"X-GitHub-Delivery": delivery})[0] == 409
    assert Build.objects.count() == Delivery.objects.count() == 1


def test_message_older_than_deliveries_are_remembered_is_refused(send, hello, secret, settings):
    long_ago = int((timezone.now() - timedelta(days=settings.KEEP_DAYS + 2)).timestamp())
    assert send(hello, github("push_branch", repository={"pushed_at": long_ago}), secret)[0] == 409
    assert send(hello, (GITHUB / "push_branch.json").read_bytes(), secret)[0] == 409
    assert not Build.objects.exists()


def test_deliveries_are_forgotten_only_when_their_replay_would_be_too_old(send, hello, secret, settings):
    send(hello, github("push_branch"), secret)
    now = timezone.now()
    assert forget_deliveries(now + timedelta(days=settings.KEEP_DAYS)) == 0
    assert forget_deliveries(now + timedelta(days=settings.KEEP_DAYS + 2)) == 1


def test_same_commit_pushed_twice_is_one_build(send, hello, secret):
    for pusher in ("ada", "bob"):
        assert send(hello, github("push_branch", pusher={"name": pusher}), secret)[1]["build"] == 1
    assert Build.objects.count() == 1


def test_default_branch_is_followed(send, hello, secret):
    changes = {"ref": "refs/heads/trunk", "repository": {"default_branch": "trunk"}}
    assert send(hello, github("push_branch", **changes), secret)[1]["build"] == 1
    hello.refresh_from_db()
    assert hello.default_branch == "trunk"
    send(hello, github("push_branch", repository={"default_branch": "--upload-pack=id"}), secret)
    hello.refresh_from_db()
    assert hello.default_branch == "trunk"


def test_rename_is_noted_and_never_believed_to_be_a_proof(send, hello, secret, vision):
    renamed = github("repository_renamed", repository={"full_name": "pytorch/vision"}, action="renamed")
    assert send(hello, renamed, secret, event="repository")[1]["outcome"] == "ignored: the repository was renamed"
    hello.refresh_from_db()
    assert (str(hello), hello.moved_to) == ("Codertocat/Hello-World", "pytorch/vision")
    said = send(hello, github("push_branch", repository={"full_name": "pytorch/vision"}), secret)[1]
    assert "connect it under that name" in said["outcome"]
    assert Build.objects.get().status == "skipped"
    assert not vision.builds.exists()


def test_repository_that_may_not_be_built_says_so(send, hello, secret):
    Repository.objects.update(approved_at=None)
    assert "not approved" in send(hello, github("push_branch"), secret)[1]["outcome"]
    assert Build.objects.get().status == "skipped"


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"[]", b"null", b"\xff", b"[" * 100_000, b'{"ref": 1, "after": []}', b'{"ref": "refs/heads/master"}',
     github("push_branch", after="main"), github("push_branch", after="-x"),
     github("push_branch", repository={"full_name": "\0"}), github("push_branch", repository={"full_name": "\ud800"})],
)  # fmt: skip
def test_signed_nonsense_is_refused(send, hello, secret, body):
    status, _ = send(hello, body, secret)
    assert status == 400
    assert not Build.objects.exists()


def test_half_a_character_is_no_text(send, hello, secret):
    """JSON can write it, and no database can."""
    half = {"full_name": "Codertocat/Hello-World", "default_branch": "\ud800"}
    body = github("repository_renamed", repository=half, action="re\udfffnamed")
    assert send(hello, body, secret, event="repository")[1]["outcome"] == "ignored: the repository was changed"
    assert send(hello, github("push_branch", repository=half), secret)[1]["build"] == 1


def test_huge_body_is_refused_unread(client, hello, secret):
    answer = client.post(f"/webhooks/{hello.pk}", b"x" * ((5 << 20) + 1), content_type="application/json")
    assert answer.status_code == 413


def test_only_posts_are_taken_and_no_cookie_is_set(client, hello):
    assert client.get(f"/webhooks/{hello.pk}").status_code == 405
    assert not client.post(f"/webhooks/{hello.pk}", b"{}", content_type="application/json").cookies


def test_webhook_needs_no_form_token_and_passes_the_members_door(hello, secret, settings):
    from django.test import Client  # noqa: PLC0415 - this client alone checks it

    settings.MEMBERS_ONLY = True
    body = github("push_branch")
    signature = "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
    headers = {"X-GitHub-Event": "push", "X-Hub-Signature-256": signature}
    client = Client(enforce_csrf_checks=True)
    assert client.post(f"/webhooks/{hello.pk}", body, "application/json", headers=headers).status_code == 202


@pytest.fixture
def diaspora(ada, proven):
    facts = {"host": "gitlab.example", "owner_name": "mike", "name": "diaspora", "default_branch": "master"}
    return Repository.objects.create(owner=ada, **facts, **proven)


def test_gitlab_sends_its_secret_as_it_is(client, diaspora, ada):
    secret = new_webhook_secret(ada, diaspora)

    def post(body, event="Push Hook", token=secret, number="1"):
        headers = {"X-Gitlab-Event": event, "X-Gitlab-Token": token, "X-Gitlab-Event-UUID": number}
        return client.post(f"/webhooks/{diaspora.pk}", body, content_type="application/json", headers=headers)

    assert post(gitlab(), token=secret[:-1]).status_code == 403
    assert post(gitlab(ref="refs/tags/v1"), "Tag Push Hook").json()["outcome"] == "ignored: it is a tag"
    assert post(gitlab(after="0" * 40, checkout_sha=None)).json()["outcome"] == "ignored: the branch was deleted"
    assert post(gitlab()).json()["outcome"] == "build #1"
    assert post(gitlab()).status_code == 409
    assert post(gitlab(), number="2").json()["build"] == 1
    assert Build.objects.count() == 1


@pytest.mark.parametrize("name", ["Gitea", "Forgejo"])
def test_gitea_and_forgejo_sign_in_a_header_of_their_own(client, ada, proven, name):
    facts = {"host": "codeberg.org", "owner_name": "gitea", "name": "webhooks", "default_branch": "develop"}
    repository = Repository.objects.create(owner=ada, **facts, **proven)
    secret, body = new_webhook_secret(ada, repository), gitea()
    signature = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
    headers = {f"X-{name}-Event": "push", f"X-{name}-Signature": signature, "X-GitHub-Event": "push"}
    answer = client.post(f"/webhooks/{repository.pk}", body, content_type="application/json", headers=headers)
    assert (answer.status_code, answer.json()["build"]) == (202, 1)
