"""Where no webhook reaches, the site asks the hosts, and one host's trouble keeps no other waiting."""

from datetime import timedelta

import pytest
from django.utils import timezone

from sotabench.server.builds.models import Build
from sotabench.server.builds.pushes import build_branch
from sotabench.server.builds.watching import ask_hosts
from sotabench.server.errors import Conflict, Forbidden, Invalid
from sotabench.server.outgoing import Unanswered
from sotabench.server.repositories import remote
from sotabench.server.repositories.models import Repository, Watch
from sotabench.server.repositories.proofs import add_by_operator

NOW = timedelta(0)


@pytest.fixture
def net(ada, proven, git_host, transactional_db):
    """ada's repository on the host, with one commit."""
    git_host.push("ada/net", {"sotabench.py": "print()"})
    url = f"http://{git_host.name}/ada/net.git"
    return Repository.objects.create(
        host=git_host.name, owner_name="ada", name="net", owner=ada, clone_url=url, **proven
    )


def ask(after=NOW):
    return ask_hosts(timezone.now() + after)


def test_new_commit_is_built_once(net, git_host):
    head = git_host.push("ada/net", {"sotabench.py": "print(1)"})
    assert ask() == 1
    assert list(Build.objects.values_list("commit", "branch", "origin")) == [(head, "main", "pushed")]
    assert ask() == 0
    assert ask(timedelta(hours=1)) == 1
    newer = git_host.push("ada/net", {"sotabench.py": "print(2)"})
    ask(timedelta(hours=2))
    assert set(Build.objects.values_list("commit", flat=True)) == {head, newer}
    assert net.watch.commit == newer


def test_repository_that_is_not_built_or_not_watched_is_not_asked_for(net, git_host):
    for fields in ({"is_polled": False}, {"build_enabled": False}, {"proven_by": ""}, {"approved_at": None}):
        before = {name: getattr(net, name) for name in fields}
        Repository.objects.update(**fields)
        ask(timedelta(days=1))
        assert not Build.objects.exists()
        Repository.objects.update(**before)
    ask(timedelta(days=2))
    assert Build.objects.count() == 1


def test_host_that_fails_is_asked_less_and_less_often_and_keeps_no_other_waiting(net, ada, proven, settings):
    gone = Repository.objects.create(host="127.0.0.1:9", owner_name="o", name="gone", owner=ada, **proven)
    settings.INTERNAL_HOSTS = [*settings.INTERNAL_HOSTS, "127.0.0.1:9"]
    assert ask() == 2
    assert Build.objects.get().repository == net
    waits = []
    for failures in (1, 2, 3):
        watch = Watch.objects.get(repository=gone)
        assert watch.failures == failures
        assert "127.0.0.1" in watch.trouble
        waits.append(watch.next_at - watch.asked_at)
        Watch.objects.filter(pk=watch.pk).update(next_at=timezone.now())
        ask()
    assert waits[0] < waits[1] < waits[2]
    assert not gone.builds.exists()


def test_default_branch_that_was_renamed_is_followed(net, git_host):
    Repository.objects.update(default_branch="master")
    ask()
    net.refresh_from_db()
    assert net.default_branch == "main"
    assert Build.objects.get().branch == "main"


def test_any_branch_is_built_when_its_owner_asks_and_only_the_default_one_is_no_preview(net, git_host, ada, bob):
    head = remote.branch_head(net, "main")
    topic = git_host.push("ada/net", {"sotabench.py": "print(3)"}, branch="topic")
    made = build_branch(ada, net)
    assert (made.commit, made.is_preview, made.origin, made.requested_by) == (head, False, "requested", ada)
    made = build_branch(ada, net, branch="topic")
    assert (made.commit, made.branch, made.is_preview) == (topic, "topic", True)
    with pytest.raises(Forbidden):
        build_branch(bob, net)
    with pytest.raises(Invalid, match="none named"):
        build_branch(ada, net, branch="nothing")
    with pytest.raises(Invalid):
        build_branch(ada, net, branch="--upload-pack=id")
    net.approved_at = None
    net.save()
    with pytest.raises(Conflict, match="approved"):
        build_branch(ada, net)


def test_folder_of_the_machine_is_asked_too(ada, git_host, transactional_db):
    head = git_host.push("srv/net", {"sotabench.py": "print()"})
    made = add_by_operator(ada, f"file://{git_host.folder}/srv/net.git")
    assert remote.branch_head(made, "main") == head
    assert remote.default_head(made) == remote.Head("main", head)
    assert remote.read_file(made, "main", "sotabench.py") == "print()"
    assert ask() == 1
    assert Build.objects.get().commit == head


def test_ssh_without_a_deploy_key_says_what_to_do(ada, proven, settings, db):
    settings.INTERNAL_HOSTS = ["127.0.0.1:9"]
    facts = {"host": "127.0.0.1:9", "owner_name": "o", "name": "n", "clone_url": "ssh://git@127.0.0.1:9/o/n.git"}
    made = Repository.objects.create(owner=ada, **facts, **proven)
    with pytest.raises(Invalid, match="deploy key"):
        remote.branch_head(made, "main")


@pytest.mark.parametrize(
    "body",
    [b"", b"<html>", b"0000", b"zzzz", b"0003", b"001e# service=git-upload-pack\n0000ffff",
     b"001e# service=git-upload-pack\n0001",
     b"001f# service=git-receive-pack\n0000"],
)  # fmt: skip
def test_what_no_git_host_says_is_refused(body):
    with pytest.raises(Unanswered):
        remote.parse_refs(body)


def test_references_are_read_with_the_default_branch():
    first = b"%s HEAD\0multi_ack symref=HEAD:refs/heads/trunk agent=git\n" % (b"a" * 40)
    second = b"%s refs/heads/trunk\n" % (b"a" * 40)
    body = b"001e# service=git-upload-pack\n0000" + b"".join(
        b"%04x" % (len(line) + 4) + line for line in (first, second)
    )
    refs = remote.parse_refs(body + b"0000")
    assert refs.head == "trunk"
    assert refs.commits == {"HEAD": "a" * 40, "refs/heads/trunk": "a" * 40}
