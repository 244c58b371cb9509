import pytest


@pytest.fixture(autouse=True)
def _members_only(settings):
    settings.MEMBERS_ONLY = True


@pytest.mark.parametrize(
    "path",
    ["v0/repositories/", "v0/benchmarks/", "v0/badge/gh/pytorch/vision", "v1/benchmarks", "v1/openapi.json", "v1/docs"],
)
def test_stranger_reads_nothing(stranger, vision, path):
    assert stranger.ask("GET", f"/api/{path}")[0] == 401


def test_member_reads_and_gets_a_token(stranger, bobs, vision):
    right = {"username": "bob", "password": "correct horse battery"}
    assert stranger.ask("POST", "/api/v0/auth/token/", right)[0] == 200
    assert bobs.ask("GET", "/api/v0/repositories/pytorch/vision/")[0] == 200


def test_signed_address_needs_no_token(client):
    assert client.put("/api/v0/part/not-signed", b"").status_code == 403


@pytest.mark.parametrize("path", ["/api/v1/docs", "/api/v1/openapi.json"])
def test_member_reads_the_description_in_a_browser(client, bob, path):
    client.force_login(bob)
    assert client.get(path).status_code == client.head(path).status_code == 200
    for method in ("POST", "PUT", "PATCH", "DELETE"):
        assert client.generic(method, path).status_code == 401


@pytest.mark.parametrize(
    "path",
    [
        "v1/docs/",
        "v1/docs/oauth2-redirect",
        "v1/openapi.json/",
        "v1/benchmarks",
        "v1/repositories",
        "v0/benchmarks/",
        "v1/",
    ],
)
def test_session_counts_for_no_other_address_of_the_api(client, bob, path):
    client.force_login(bob)
    assert client.get(f"/api/{path}").status_code == 401


def test_end_of_a_session_ends_the_description(client, bob):
    client.force_login(bob)
    client.logout()
    assert client.get("/api/v1/docs").status_code == 401
