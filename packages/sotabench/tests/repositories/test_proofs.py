"""A repository belongs to whoever shows that he controls it; until then its name belongs to nobody."""

import pytest

from sotabench.server.errors import Conflict, Forbidden, Invalid
from sotabench.server.outgoing import Unanswered
from sotabench.server.repositories import hosts
from sotabench.server.repositories.identity import Identity, Location, location_of
from sotabench.server.repositories.keys import (
    host_access,
    keep_host_token,
    keys_of,
    new_deploy_key,
    new_webhook_secret,
    webhook_secret,
)
from sotabench.server.repositories.models import Keys, Repository
from sotabench.server.repositories.proofs import add_by_operator, proof_line, prove_by_file, prove_by_host
from sotabench.server.repositories.services import approve, connect_repository, disconnect

pytestmark = pytest.mark.django_db


@pytest.fixture
def net(git_host):
    """Where `ada/net` is on the host."""
    return location_of(f"http://{git_host.name}/ada/net.git")


def prove(user, location, git_host, *, text=None):
    git_host.push("ada/net", {".sotabench-owner": text or proof_line(user, location.identity)})
    return prove_by_file(user, location)


def test_line_in_the_default_branch_proves_control(ada, net, git_host):
    git_host.push("ada/net", {".sotabench-owner": f"# mine\n{proof_line(ada, net.identity)}\n"}, branch="trunk")
    made = prove_by_file(ada, net)
    assert (made.owner, made.proven_by, made.default_branch, str(made)) == (ada, "file", "trunk", "ada/net")
    assert made.remote_url == f"http://{git_host.name}/ada/net.git"


def test_line_fits_one_user_and_one_repository(ada, bob, net):
    lines = {
        proof_line(ada, net.identity),
        proof_line(bob, net.identity),
        proof_line(ada, Identity(net.identity.host, "ada", "other")),
        proof_line(ada, Identity("github.com", "ada", "net")),
    }
    assert len(lines) == 4
    assert proof_line(ada, Identity("GitHub.com", "Ada", "Net")) == proof_line(
        ada, Identity("github.com", "ada", "net")
    )


def test_anothers_line_proves_nothing(ada, bob, net, git_host):
    git_host.push("ada/net", {".sotabench-owner": proof_line(ada, net.identity)})
    with pytest.raises(Invalid, match="your line"):
        prove_by_file(bob, net)
    assert not Repository.objects.exists()


def test_line_in_another_branch_proves_nothing(ada, net, git_host):
    git_host.push("ada/net", {"README": "hello"})
    git_host.push("ada/net", {".sotabench-owner": proof_line(ada, net.identity)}, branch="pull-request")
    with pytest.raises(Invalid, match="push it first"):
        prove_by_file(ada, net)


def test_file_that_is_huge_is_not_read(ada, net, git_host):
    git_host.push("ada/net", {".sotabench-owner": "x" * 70_000})
    with pytest.raises(Invalid, match="at most"):
        prove_by_file(ada, net)


def test_redirect_of_the_host_proves_nothing(ada, net, git_host):
    git_host.push("evil/net", {".sotabench-owner": proof_line(ada, net.identity)})
    git_host.api = {"/ada/net.git": (302, f"http://{git_host.name}/evil/net.git/info/refs?service=git-upload-pack")}
    with pytest.raises(Unanswered, match="redirect"):
        prove_by_file(ada, net)


def test_host_that_is_not_public_is_not_asked(ada, settings, git_host):
    settings.INTERNAL_HOSTS = []
    with pytest.raises(Unanswered, match="public host"):
        prove_by_file(ada, location_of(f"https://{git_host.name}/ada/net"))
    with pytest.raises(Unanswered, match="public host"):
        prove_by_host(ada, location_of("https://169.254.169.254/a/b"), hosts.Access("gitea", "token"))


@pytest.mark.usefixtures("benchmarks")
def test_proof_takes_a_repository_over_from_who_was_first(ada, bob, net, git_host, submit, record):
    squatted = connect_repository(bob, net.identity, is_public=False)
    early = submit(record(), user=bob, repository=squatted)[0]
    made = prove(ada, net, git_host)
    assert (made.pk, made.owner) == (squatted.pk, ada)
    early.refresh_from_db()
    assert (early.repository, early.build.requested_by) == (made, bob)
    with pytest.raises(Forbidden):
        submit(record(), user=bob, repository=made)


def test_who_takes_over_inherits_no_secret_and_no_approval(ada, bob, net, git_host):
    first = prove(bob, net, git_host)
    approve(first)
    secret = new_webhook_secret(bob, first)
    new_deploy_key(bob, first)
    keep_host_token(bob, first, hosts.Access("gitea", "bobs-token"))
    made = prove(ada, net, git_host)
    assert (made.pk, made.owner, made.approved_at) == (first.pk, ada, None)
    assert webhook_secret(made) != secret
    assert host_access(made) is None
    assert not Keys.objects.exists()


def test_present_owners_line_keeps_the_repository_his(ada, bob, net, git_host):
    prove(bob, net, git_host)
    both = f"{proof_line(ada, net.identity)}\n{proof_line(bob, net.identity)}"
    with pytest.raises(Conflict, match="remove that line"):
        prove(ada, net, git_host, text=both)
    assert Repository.objects.get().owner == bob


@pytest.mark.parametrize(
    ("kind", "path", "said"),
    [
        ("gitea", "/api/v1/repos/ada/net", {"full_name": "ada/net", "permissions": {"admin": True}}),
        ("github", "/api/v3/repos/ada/net", {"full_name": "Ada/net", "permissions": {"maintain": True}}),
        (
            "gitlab",
            "/api/v4/projects/ada%2Fnet",
            {"path_with_namespace": "ada/net", "permissions": {"group_access": {"access_level": 40}}},
        ),
    ],
)
def test_hosts_own_word_proves_control(ada, net, git_host, kind, path, said):
    git_host.api = {path: (200, said | {"default_branch": "trunk"})}
    made = prove_by_host(ada, net, hosts.Access(kind, "adas-token", "http"))
    assert (made.owner, made.proven_by, made.default_branch) == (ada, "host", "trunk")
    ((_, _, headers, _),) = git_host.seen
    sent = headers.get("PRIVATE-TOKEN") or headers["Authorization"].split()[1]
    assert sent == "adas-token"
    assert not Keys.objects.exists()


@pytest.mark.parametrize(
    ("status", "said"),
    [
        (200, {"full_name": "ada/net", "permissions": {"push": True, "admin": False}}),
        (200, {"full_name": "ada/net"}),
        (200, {"full_name": "ada/net", "permissions": {"admin": "yes"}}),
        (200, {"full_name": "bob/net", "permissions": {"admin": True}}),
        (200, ["ada/net"]),
        (404, {}),
        (401, {"full_name": "ada/net", "permissions": {"admin": True}}),
        (301, "http://elsewhere.example/"),
    ],
)
def test_hosts_word_that_says_less_proves_nothing(ada, net, git_host, status, said):
    git_host.api = {"/api/v1/repos/": (status, said)}
    with pytest.raises(Invalid):
        prove_by_host(ada, net, hosts.Access("gitea", "token", "http"))
    assert not Repository.objects.exists()
    assert len(git_host.seen) == 1


@pytest.mark.parametrize(("level", "kind"), [(30, "project_access"), (None, "group_access"), ("50", "project_access")])
def test_developer_at_gitlab_controls_nothing(ada, net, git_host, level, kind):
    said = {"path_with_namespace": "ada/net", "permissions": {kind: {"access_level": level}}}
    git_host.api = {"/api/v4/": (200, said)}
    with pytest.raises(Invalid, match="administers"):
        prove_by_host(ada, net, hosts.Access("gitlab", "token", "http"))


def test_gitlab_that_speaks_of_access_in_another_shape_proves_nothing(ada, net, git_host):
    said = {"path_with_namespace": "ada/net", "permissions": {"project_access": [50], "group_access": "owner"}}
    git_host.api = {"/api/v4/": (200, said)}
    with pytest.raises(Invalid, match="administers"):
        prove_by_host(ada, net, hosts.Access("gitlab", "token", "http"))


@pytest.mark.parametrize("token", ["", "a\r\nX-Evil: 1", "t\u00f6ken"])
def test_token_that_is_none_is_sent_nowhere(ada, net, git_host, token):
    with pytest.raises(Invalid):
        prove_by_host(ada, net, hosts.Access("gitea", token, "http"))
    assert git_host.seen == []


def test_operator_adds_a_folder_which_nobody_else_can(ada, bob, tmp_path, git_host):
    git_host.push("srv/net", {"README": "hello"})
    made = add_by_operator(ada, f"file://{git_host.folder}/srv/net.git")
    assert (str(made), made.host, made.proven_by, made.address) == ("srv/net", "localhost", "operator", "")
    assert made.approved_at is not None
    for address in (f"file://{git_host.folder}/srv/net.git", "file:///etc/passwd"):
        with pytest.raises(Invalid):
            location_of(address)
    with pytest.raises((Forbidden, Unanswered)):
        prove_by_file(bob, location_of("https://localhost/srv/net"))
    with pytest.raises(Invalid):
        add_by_operator(ada, "file://host/../x")


def test_renamed_repository_follows_when_its_new_name_is_proven(ada, bob, net, git_host):
    made = prove(ada, net, git_host)
    made.moved_to = "ada/new"
    made.save()
    new = location_of(f"http://{git_host.name}/ada/new.git")
    git_host.push("ada/new", {".sotabench-owner": proof_line(ada, new.identity)})
    found = prove_by_file(ada, new)
    assert (found.pk, str(found), found.moved_to, found.clone_url) == (made.pk, "ada/new", "", new.clone_url)


def test_disconnected_repository_keeps_its_results_and_no_secret(ada, bob, net, git_host):
    made = prove(ada, net, git_host)
    new_webhook_secret(ada, made)
    with pytest.raises(Forbidden):
        disconnect(bob, made)
    disconnect(ada, made)
    made.refresh_from_db()
    assert (made.proven_by, made.owner) == ("", ada)
    assert not Keys.objects.exists()


def test_secrets_are_sealed_and_belong_to_a_proven_repository(ada, bob, net, git_host):
    with pytest.raises(Conflict, match="prove it first"):
        new_webhook_secret(ada, connect_repository(ada, Identity("github.com", "ada", "unproven")))
    made = prove(ada, net, git_host)
    with pytest.raises(Forbidden):
        new_webhook_secret(bob, made)
    secret, public = new_webhook_secret(ada, made), new_deploy_key(ada, made)
    keep_host_token(ada, made, hosts.Access("gitea", "a-token"))
    keys = keys_of(made)
    assert public.startswith("ssh-ed25519 AAAA")
    assert "PRIVATE" not in keys.deploy_key
    assert secret not in keys.webhook_secret
    assert "a-token" not in keys.host_token
    assert webhook_secret(made) == secret
    assert new_webhook_secret(ada, made) != secret


def test_token_is_bound_to_the_host_that_it_was_given_for(ada, net, git_host):
    made = prove(ada, net, git_host)
    keep_host_token(ada, made, hosts.Access("gitea", "a-token"))
    assert host_access(made).access.token == "a-token"  # noqa: S105
    Repository.objects.update(host="evil.example")
    made.refresh_from_db()
    assert host_access(made) is None


def test_password_in_an_address_is_refused_before_anything_is_kept():
    for address in ("https://ada:secret@github.com/ada/net", "https://token@github.com/ada/net", "ssh://a:b@h/a/n"):
        with pytest.raises(Invalid):
            location_of(address)


@pytest.mark.parametrize(
    ("text", "location"),
    [
        (
            "git@github.com:ada/net.git",
            Location(Identity("github.com", "ada", "net"), "ssh://git@github.com/ada/net.git"),
        ),
        ("ssh://git@h:2222/a/b", Location(Identity("h:2222", "a", "b"), "ssh://git@h:2222/a/b")),
        ("ssh://git@h:22/a/b.git", Location(Identity("h", "a", "b"), "ssh://git@h/a/b.git")),
        ("https://h:443/a/b.git", Location(Identity("h", "a", "b"), "https://h/a/b.git")),
        ("https://h:8443/a/b", Location(Identity("h:8443", "a", "b"), "https://h:8443/a/b")),
        ("ada/net", Location(Identity("github.com", "ada", "net"))),
    ],
)
def test_address_is_kept_as_git_needs_it_and_its_port_is_part_of_the_host(text, location):
    assert location_of(text) == location


@pytest.mark.parametrize(
    "text",
    ["http://github.com/a/b", "git://github.com/a/b", "ext::sh -c id", "ssh://-oProxyCommand=id/a/b", "https://h/a/b?x=1",
     "ssh://-x@h/a/b", "https://h:port/a/b", "https://h/a"],
)  # fmt: skip
def test_address_of_another_kind_is_refused(ada, text):
    with pytest.raises((Invalid, Unanswered)):
        prove_by_file(ada, location_of(text))
