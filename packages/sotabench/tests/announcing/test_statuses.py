"""Commits on the git host show how their builds stand; a token goes to its own host and nowhere else."""

import json
from datetime import timedelta

import pytest
from django.utils import timezone

from sotabench.server.announcing import statuses
from sotabench.server.announcing.statuses import tell_hosts
from sotabench.server.builds.models import Build
from sotabench.server.builds.services import Status, build_now, build_push, move
from sotabench.server.repositories import hosts
from sotabench.server.repositories.keys import keep_host_token
from sotabench.server.repositories.models import Keys, Repository

STATUSES = {
    "github": "/api/v3/repos/ada/net/statuses/",
    "gitlab": "/api/v4/projects/ada%2Fnet/statuses/",
    "gitea": "/api/v1/repos/ada/net/statuses/",
}
COMMIT = "a" * 40


@pytest.fixture
def net(ada, proven, git_host, transactional_db, settings):
    settings.URL_PUBLIC = "https://bench.example"
    facts = {"host": git_host.name, "owner_name": "ada", "name": "net"}
    url = f"http://{git_host.name}/ada/net.git"
    return Repository.objects.create(owner=ada, clone_url=url, **facts, **proven)


@pytest.fixture
def with_token(net, ada, git_host):
    def kept(kind):
        keep_host_token(ada, net, hosts.Access(kind, "adas-token"))
        git_host.api = {path: (201, {}) for path in STATUSES.values()}
        return build_push(net, commit=COMMIT, branch="main")

    return kept


def tell(after=timedelta(0)):
    return tell_hosts(timezone.now() + after)


@pytest.mark.parametrize(
    ("kind", "words", "header"),
    [
        ("github", ["pending", "success"], ("Authorization", "Bearer adas-token")),
        ("gitlab", ["pending", "success"], ("Private-Token", "adas-token")),
        ("gitea", ["pending", "success"], ("Authorization", "token adas-token")),
    ],
)
def test_host_hears_when_a_build_begins_and_ends_and_only_then(with_token, git_host, kind, words, header):
    build = with_token(kind)
    assert (tell(), tell()) == (1, 0)
    move(build, Status.RUNNING)
    move(build, Status.FINISHED)
    assert (tell(), tell()) == (1, 0)
    assert [method for method, *_ in git_host.seen] == ["POST", "POST"]
    said = [json.loads(body) for *_, body in git_host.seen]
    assert [one["state"] for one in said] == words
    assert said[0]["target_url"] == f"https://bench.example/builds/{git_host.name}/ada/net/1"
    assert said[0].get("context", said[0].get("name")) == "sotabench"
    for _, path, headers, _ in git_host.seen:
        assert path == STATUSES[kind] + COMMIT
        assert {name.title(): value for name, value in headers.items()}[header[0]] == header[1]


@pytest.mark.parametrize(
    ("status", "github", "gitlab"),
    [("failed", "failure", "failed"), ("broken", "error", "failed"), ("cancelled", "error", "failed")],
)
def test_host_hears_whose_fault_it_was(with_token, git_host, status, github, gitlab):
    for kind, word in (("github", github), ("gitlab", gitlab)):
        build = with_token(kind)
        Build.objects.filter(pk=build.pk).update(status=status, announced="running", reason="it\u202e ended")
        git_host.seen.clear()
        tell()
        said = json.loads(git_host.seen[0][-1])
        assert said["state"] == word
        assert "\u202e" not in said["description"]


def test_skipped_and_submitted_builds_and_those_without_a_token_are_told_to_nobody(with_token, net, git_host):
    build = with_token("github")
    Build.objects.filter(pk=build.pk).update(status="skipped")
    assert tell() == 0
    Build.objects.filter(pk=build.pk).update(status="finished", origin="submitted")
    assert tell() == 0
    Build.objects.filter(pk=build.pk).update(origin="pushed")
    Keys.objects.update(host_token="")
    assert tell() == 0
    assert git_host.seen == []


def test_commit_that_waited_and_was_skipped_waits_no_more_on_its_host(with_token, net, git_host):
    with_token("github")
    tell()
    git_host.api[STATUSES["github"]] = (201, {})
    newer = build_push(net, commit="b" * 40, branch="main")
    assert tell() == 2
    said = {path[-1]: json.loads(body) for _, path, _, body in git_host.seen}
    assert (said["a"]["state"], said["b"]["state"]) == ("error", "pending")
    assert "a newer push" in said["a"]["description"]
    assert (newer.number, tell()) == (2, 0)


def test_secret_that_cannot_be_read_silences_one_repository_and_its_settings_say_why(
    with_token, net, ada, proven, git_host
):
    with_token("github")
    facts = {"host": git_host.name, "owner_name": "ada", "name": "other"}
    other = Repository.objects.create(owner=ada, clone_url=f"http://{git_host.name}/ada/other.git", **facts, **proven)
    keep_host_token(ada, other, hosts.Access("github", "adas-token"))
    Keys.objects.filter(repository=net).update(host_token="sealed under another key")
    build_push(other, commit="c" * 40, branch="main")
    git_host.api["/api/v3/repos/ada/other/statuses/"] = (201, {})
    assert tell() == 1
    assert "secret key" in Keys.objects.get(repository=net).host_trouble


def test_token_is_not_sent_to_another_host(with_token, net, git_host):
    with_token("github")
    Keys.objects.update(host_token_for="elsewhere.example")
    assert tell() == 0
    assert git_host.seen == []


def test_host_that_fails_is_told_later_and_settings_say_why(with_token, git_host):
    build = with_token("gitea")
    git_host.api = {STATUSES["gitea"]: (403, {"message": "no"})}
    assert (tell(), tell()) == (0, 0)
    keys = Keys.objects.get()
    assert (keys.host_failures, len(git_host.seen)) == (1, 1)
    assert "status 403" in keys.host_trouble
    git_host.api = {STATUSES["gitea"]: (201, {})}
    assert tell(timedelta(minutes=2)) == 1
    build.refresh_from_db()
    keys.refresh_from_db()
    assert (build.announced, keys.host_trouble, keys.host_failures) == ("queued", "", 0)


def test_redirect_takes_the_token_nowhere(with_token, git_host):
    with_token("gitea")
    git_host.api = {STATUSES["gitea"]: (307, f"http://{git_host.name}/api/v3/repos/evil"), "/api/v3": (200, {})}
    assert tell() == 0
    assert len(git_host.seen) == 1


def test_host_that_is_slow_keeps_no_other_waiting(with_token, net, ada, git_host, monkeypatch):
    """A round ends when all hosts were asked: one that takes its time has the rest of its builds told in the next."""
    with_token("gitea")
    build_now(ada, net, commit="b" * 40, branch="main")
    monkeypatch.setattr(statuses, "PATIENCE", 0)
    assert (tell(), tell(), tell()) == (1, 1, 0)
    assert len(git_host.seen) == 2
