"""From an address to the first build, as a person does it: forms and links alone."""

import re

import pytest
from django.urls import resolve, reverse

from sotabench.server.builds.models import Build
from sotabench.server.repositories.identity import identity_of
from sotabench.server.repositories.models import Keys, Repository
from sotabench.server.repositories.services import approve, connect_repository


@pytest.fixture
def as_ada(client, ada):
    client.force_login(ada)
    return client


@pytest.fixture
def net(git_host):
    git_host.push("ada/net", {"sotabench.py": "print()"})
    return f"{git_host.name}/ada/net"


def test_newcomer_goes_from_an_address_to_a_build(as_ada, net, git_host, page):
    settings = as_ada.post("/settings/repositories", {"address": f"http://{net}.git", "is_public": "on"}).url
    html = page(settings)
    assert "Nothing is built now" in html
    proof = f"/settings/repositories/{net}/proof"
    assert f'href="{proof}"' in html
    line = re.search(r"sotabench-owner-[0-9a-f]{40}", page(proof))[0]
    answer = as_ada.post(proof, {"how": "file"})
    assert (answer.status_code, "Not yet." in answer.content.decode()) == (400, True)
    head = git_host.push("ada/net", {".sotabench-owner": line})
    assert as_ada.post(proof, {"how": "file"}).url == settings
    html = as_ada.post(f"/settings/repositories/{net}/secrets/webhook").content.decode()
    secret = re.search(r'class="token">([\w-]{40,})<', html)[1]
    assert f"/webhooks/{Repository.objects.get().pk}" in html
    assert secret not in page(settings)
    answer = as_ada.post(f"/settings/repositories/{net}/build", {"branch": "main"})
    assert (answer.status_code, "not approved" in answer.content.decode()) == (409, True)
    approve(Repository.objects.get())
    assert as_ada.post(f"/settings/repositories/{net}/build", {"branch": "main"}).url == f"/builds/{net}/1"
    assert Build.objects.get().commit == head


def test_who_controls_a_repository_takes_it_from_who_named_it_first(as_ada, ada, bob, net, git_host, page):
    connect_repository(bob, identity_of(net), is_public=False)
    html = as_ada.post("/settings/repositories", {"address": f"http://{net}.git"}).content.decode()
    link = re.search(r'href="([^"]+/proof[^"]*)"', html)[1].replace("&amp;", "&")
    html = page(link)
    assert "bob" not in html
    address = re.search(r'name="address" value="([^"]+)"', html)[1]
    line = re.search(r"sotabench-owner-[0-9a-f]{40}", html)[0]
    git_host.push("ada/net", {".sotabench-owner": line})
    assert as_ada.post(link.partition("?")[0], {"how": "file", "address": address}).status_code == 302
    assert Repository.objects.get().owner == ada


def test_address_of_another_repository_is_not_taken_for_this_one(as_ada, net, page):
    html = page(f"/settings/repositories/github.com/a/b/proof?address=http://{net}.git")
    assert 'name="address" value=""' in html


def test_token_of_the_host_proves_and_is_never_shown(as_ada, net, git_host, page):
    said = {"full_name": "ada/net", "permissions": {"admin": True}, "default_branch": "main"}
    git_host.api = {"/api/v1/repos/ada/net": (200, said)}
    form = {"how": "host", "token": "hosts-own-token", "kind": "gitea", "keep": "on", "address": f"http://{net}.git"}
    assert as_ada.post(f"/settings/repositories/{net}/proof", form | {"token": ""}).status_code == 400
    settings = as_ada.post(f"/settings/repositories/{net}/proof", form).url
    html = page(settings)
    assert "One is kept, encrypted" in html
    assert "hosts-own-token" not in html
    as_ada.post(f"/settings/repositories/{net}/forget-token")
    assert Keys.objects.get().host_token == ""


def test_settings_are_kept_and_wrong_ones_said(as_ada, vision, page):
    address = "/settings/repositories/pytorch/vision/settings"
    assert as_ada.post(address, {"default_branch": "dev", "has_network": "on"}).url == address
    vision.refresh_from_db()
    assert (vision.default_branch, vision.has_network, vision.is_polled) == ("dev", True, False)
    for wrong in ({"default_branch": "--x"}, {"default_branch": ""}, {"default_branch": "a", "tells_url": "http://x"}):
        assert "errorlist" in as_ada.post(address, wrong).content.decode()
    vision.refresh_from_db()
    assert vision.default_branch == "dev"


def test_deploy_key_and_notice_secret_are_made_and_all_is_forgotten_at_the_end(as_ada, vision, page):
    base = "/settings/repositories/pytorch/vision"
    assert "ssh-ed25519 " in as_ada.post(f"{base}/secrets/deploy-key").content.decode()
    assert "shown this once" in as_ada.post(f"{base}/secrets/notices").content.decode()
    assert as_ada.post(f"{base}/secrets/password").status_code == 404
    assert "ssh-ed25519 " in page(f"{base}/settings")
    assert as_ada.post(f"{base}/disconnect").status_code == 302
    assert not Keys.objects.exists()
    assert "How to do that" in page(f"{base}/settings")


def test_settings_of_a_private_repository_look_like_none_to_others(client, bob, vision):
    client.force_login(bob)
    assert client.get("/settings/repositories/pytorch/vision/settings").status_code == 403
    Repository.objects.update(is_public=False)
    assert client.get("/settings/repositories/pytorch/vision/settings").status_code == 404


@pytest.mark.parametrize(
    "name", ["secrets", "settings", "build", "proof", "webhook", "disconnect", "visibility", "log"]
)
@pytest.mark.parametrize("owner", ["ada", "ada/secrets", "secrets/settings"])
@pytest.mark.parametrize(
    ("view", "rest"),
    [
        ("visibility", []), ("proof", []), ("repository-settings", []), ("forget-token", []), ("build-now", []),
        ("disconnect", []), ("new-secret", ["webhook"]), ("new-secret", ["deploy-key"]), ("new-secret", ["notices"]),
        ("build", [1]), ("build-log", [1]), ("build-log-text", [1]), ("cancel-build", [1]), ("build-again", [1]),
    ],
)  # fmt: skip
def test_address_is_of_its_page_whatever_a_repository_is_called(owner, name, view, rest):
    identity = f"gitlab.com/{owner}/{name}"
    found = resolve(reverse(view, args=[identity, *rest]))
    assert (found.url_name, list(found.kwargs.values())) == (view, [identity, *rest])


def test_repository_called_secrets_is_disconnected_on_its_page(as_ada, ada, proven):
    made = Repository.objects.create(host="github.com", owner_name="ada", name="secrets", owner=ada, **proven)
    assert as_ada.post("/settings/repositories/ada/secrets/disconnect").url == "/user/ada/repos/ada/secrets"
    made.refresh_from_db()
    assert not made.proven_by
