"""What a signed-in person changes, and what nobody else can."""

import re

import pytest

from sotabench.server.accounts.models import ApiToken, User
from sotabench.server.accounts.services import create_token
from sotabench.server.repositories.models import Repository


@pytest.fixture
def as_ada(client, ada):
    client.force_login(ada)
    return client


def test_who_is_not_signed_in_is_asked_to(client, db):
    for address in ("/settings/tokens", "/settings/repositories"):
        assert client.get(address).url == f"/accounts/login/?next={address}"


def test_a_token_is_shown_once_and_works(as_ada):
    answer = as_ada.post("/settings/tokens", {"name": "laptop", "scopes": ["submit"]})
    text = re.search(r"sb_[\w-]{40,}", answer.content.decode()).group()
    assert "no-store" in answer["Cache-Control"]
    assert text not in as_ada.get("/settings/tokens").content.decode()
    token = ApiToken.objects.get()
    assert (token.name, token.scopes) == ("laptop", ["submit"])


@pytest.mark.parametrize("form", [{}, {"name": "x"}, {"name": "x", "scopes": ["everything"]}])
def test_a_wrong_form_makes_no_token(as_ada, form):
    assert "errorlist" in as_ada.post("/settings/tokens", form).content.decode()
    assert not ApiToken.objects.exists()


def test_a_token_is_revoked_by_its_owner_alone(as_ada, ada, bob):
    mine, _ = create_token(ada, name="mine")
    other, _ = create_token(bob, name="<b>other")
    assert as_ada.post(f"/settings/tokens/{mine.pk}/revoke").status_code == 302
    assert as_ada.post(f"/settings/tokens/{other.pk}/revoke").status_code == 404
    assert "revoked" in as_ada.get("/settings/tokens").content.decode()
    other.refresh_from_db()
    assert other.revoked_at is None


def test_a_repository_is_connected_by_its_address(as_ada, ada):
    answer = as_ada.post("/settings/repositories", {"address": "https://gitlab.com/group/net", "is_public": "on"})
    made = Repository.objects.get()
    assert (str(made), made.host, made.owner, made.is_public) == ("group/net", "gitlab.com", ada, True)
    assert answer.url == "/settings/repositories/gitlab.com/group/net/settings"


def test_a_repository_is_private_when_it_is_asked_to_be(as_ada):
    as_ada.post("/settings/repositories", {"address": "ada/net"})
    assert not Repository.objects.get().is_public


@pytest.mark.parametrize(
    "address", ["net", "javascript:alert(1)", "https://a/b/<script>", "http://x/../y", "pytorch/vision"]
)
def test_what_is_no_repository_or_another_s_is_refused(client, bob, vision, address):
    client.force_login(bob)
    html = client.post("/settings/repositories", {"address": address, "is_public": "on"}).content.decode()
    assert "errorlist" in html
    assert "<script" not in html
    assert Repository.objects.count() == 1


def test_owner_makes_a_repository_private_and_public_again(as_ada, vision):
    for public, is_public in (("no", False), ("yes", True)):
        as_ada.post("/settings/repositories/pytorch/vision/visibility", {"public": public})
        vision.refresh_from_db()
        assert vision.is_public is is_public


def test_nobody_else_changes_who_may_see_a_repository(client, bob, vision):
    address = "/settings/repositories/pytorch/vision/visibility"
    assert client.post(address, {"public": "no"}).url.startswith("/accounts/login/")
    client.force_login(bob)
    answer = client.post(address, {"public": "no"})
    vision.refresh_from_db()
    assert (answer.status_code, vision.is_public) == (403, True)


def test_forms_want_the_token_against_forgery(ada, vision):
    from django.test import Client  # noqa: PLC0415 - this client alone checks it

    client = Client(enforce_csrf_checks=True)
    client.force_login(ada)
    answer = client.post("/settings/repositories/pytorch/vision/visibility", {"public": "no"})
    assert answer.status_code == 403
    assert "cookies" in answer.content.decode()


def test_people_sign_up_in_and_out(client, db):
    form = {"username": "eve", "password1": "a long passphrase 7", "password2": "a long passphrase 7"}
    assert client.post("/accounts/signup/", form).status_code == 302
    assert User.objects.get().username == "eve"
    assert "You are signed in as eve" in client.get("/accounts/logout/").content.decode()
    assert client.post("/accounts/logout/").status_code == 302
    assert client.post("/accounts/login/", {"login": "eve", "password": "a long passphrase 7"}).status_code == 302
    assert "Sign out" in client.get("/").content.decode()


def test_wrong_password_says_so(client, ada):
    html = client.post("/accounts/login/", {"login": "ada", "password": "wrong"}).content.decode()
    assert "errorlist" in html


def test_a_site_that_takes_nobody_offers_no_sign_up(client, db, settings):
    settings.SIGNUP_OPEN = False
    assert "Sign up" not in client.get("/").content.decode()


def test_only_one_s_own_page_leads_to_password_and_addresses(as_ada, bob):
    links = ["/accounts/password/change/", "/accounts/email/", "/accounts/3rdparty/"]
    own, other = (as_ada.get(f"/user/{name}").content.decode() for name in ("ada", "bob"))
    for link in links:
        assert f'href="{link}"' in own
        assert link not in other
        html = as_ada.get(link).content.decode()
        assert 'class="brand"' in html
        assert "<script" not in html


def test_members_only_site_shows_nothing_to_strangers(client, settings, ada):
    settings.MEMBERS_ONLY = True
    for address in ("/", "/benchmarks", "/user/ada", "/results/1", "/robots.txt"):
        assert client.get(address).url.startswith("/accounts/login/")
    assert client.get("/accounts/login/").status_code == 200
