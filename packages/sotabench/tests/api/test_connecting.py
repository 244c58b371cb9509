"""A program connects a repository: names it, proves it, and starts a build."""

import pytest

from sotabench.server.repositories.models import Keys, Repository
from sotabench.server.repositories.services import approve


@pytest.fixture
def net(git_host):
    git_host.push("ada/net", {"sotabench.py": "print()"})
    return f"http://{git_host.name}/ada/net.git"


def test_repository_is_named_proven_and_built(adas, net, git_host):
    status, said = adas.ask("POST", "/api/v1/repositories", {"address": net})
    key = said["repository"]["id"]
    assert (status, said["proven_by"]) == (200, "")
    assert "shown" in said["why_not_built"]
    assert adas.ask("POST", f"/api/v1/repositories/{key}/webhook")[0] == 409
    assert adas.ask("POST", "/api/v1/proofs", {"address": net})[0] == 400
    head = git_host.push("ada/net", {said["proof_file"]: said["proof_line"]})
    status, said = adas.ask("POST", "/api/v1/proofs", {"address": net})
    assert (status, said["proven_by"], said["repository"]["id"]) == (200, "file", key)
    assert "approved" in said["why_not_built"]
    assert adas.ask("POST", f"/api/v1/repositories/{key}/builds", {})[0] == 409
    approve(Repository.objects.get())
    status, said = adas.ask("POST", f"/api/v1/repositories/{key}/builds", {})
    assert (status, said["commit"], said["origin"]) == (200, head, "requested")


def test_host_token_proves_and_is_kept_only_when_it_is_wanted(adas, net, git_host):
    said = {"full_name": "ada/net", "permissions": {"admin": True}, "default_branch": "main"}
    git_host.api = {"/api/v1/repos/ada/net": (200, said)}
    proof = {"address": net, "token": "hosts-token", "kind": "gitea"}
    assert adas.ask("POST", "/api/v1/proofs", proof)[0] == 200
    assert not Keys.objects.exists()
    assert adas.ask("POST", "/api/v1/proofs", proof | {"keep": True})[0] == 200
    assert "hosts-token" not in str(list(Keys.objects.values()))
    assert adas.ask("POST", "/api/v1/proofs", proof | {"kind": "sourceforge"})[0] == 400


def test_secrets_are_given_once_and_settings_are_changed(adas, adas_submitting, bobs, vision):
    key = vision.pk
    status, said = adas.ask("POST", f"/api/v1/repositories/{key}/webhook")
    assert (status, said["address"]) == (200, f"http://testserver/webhooks/{key}")
    assert len(said["secret"]) > 40
    assert said["secret"] not in str(adas.ask("GET", f"/api/v1/repositories/{key}/connection"))
    assert adas.ask("POST", f"/api/v1/repositories/{key}/deploy-key")[1]["public"].startswith("ssh-ed25519 ")
    assert adas.ask("PATCH", f"/api/v1/repositories/{key}", {"has_network": True, "default_branch": "x/y"})[0] == 200
    vision.refresh_from_db()
    assert (vision.has_network, vision.default_branch, vision.is_polled) == (True, "x/y", True)
    for changes in ({"default_branch": "-x"}, {"tells_url": "http://a.example/"}, {"is_polled": "maybe"}):
        assert adas.ask("PATCH", f"/api/v1/repositories/{key}", changes)[0] == 400
    assert bobs.ask("GET", f"/api/v1/repositories/{key}/connection")[1]["proof_line"] != said
    assert adas.ask("DELETE", f"/api/v1/repositories/{key}/connection")[0] == 200
    vision.refresh_from_db()
    assert (vision.proven_by, Keys.objects.count()) == ("", 0)


def test_line_of_a_private_repository_is_given_without_telling_whose_it_is(bobs, vision, ada):
    Repository.objects.update(is_public=False)
    assert bobs.ask("GET", f"/api/v1/repositories/{vision.pk}/connection")[0] == 404
    assert bobs.ask("POST", f"/api/v1/repositories/{vision.pk}/webhook")[0] == 404
