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
