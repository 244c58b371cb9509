"""Ways round the door, each of them closed: another sign-in form, another path, another address, a body without end."""

import logging

import pytest
from allauth.socialaccount.models import SocialAccount, SocialLogin
from django.core.cache import cache
from django.db.models.signals import pre_save
from django.test import Client, RequestFactory

from sotabench.lines import MOST_CHARACTERS
from sotabench.logs import JsonFormatter
from sotabench.runner.log import MOST_AT_ONCE
from sotabench.server.accounts.adapter import AccountAdapter, SocialAccountAdapter
from sotabench.server.accounts.models import ApiToken, User
from sotabench.server.accounts.services import create_token
from sotabench.server.api import webhooks
from sotabench.server.api.gate import address_of
from sotabench.server.benchmarks import calls
from sotabench.server.bodies import MOST_OF_A_CALL, MOST_OF_A_FORM
from sotabench.server.observing import WithoutKeys, metrics

pytestmark = pytest.mark.django_db
PASSWORD = "correct horse battery"  # noqa: S105 - of the tests' users

FILE = b'Content-Disposition: form-data; name="r"; filename="r"'
IN_BASE64 = b"--x\r\nContent-Transfer-Encoding: base64\r\n%b\r\n\r\nW10\r\n" % FILE


@pytest.fixture(autouse=True)
def _fresh_counts():
    cache.clear()


def test_admin_has_no_sign_in_form_of_its_own_that_nobody_counts(client, owner_of_site):
    answer = client.post("/admin/login/", {"username": "owner", "password": PASSWORD, "next": "/admin/"})
    assert (answer.status_code, answer.url.split("?")[0]) == (302, "/accounts/login/")
    assert "_auth_user_id" not in client.session
    client.force_login(owner_of_site)
    assert client.get("/admin/").status_code == 200


def test_admin_is_not_for_those_who_are_no_staff(client, ada):
    client.force_login(ada)
    assert client.get("/admin/login/").status_code == 403
    assert client.get("/admin/accounts/apitoken/").status_code == 302


def test_prefix_that_a_proxy_passes_on_opens_no_members_only_page(settings):
    settings.MEMBERS_ONLY = True
    inside = Client(SCRIPT_NAME="/accounts")
    assert inside.get("/accounts/benchmarks", PATH_INFO="/benchmarks").status_code == 302


def test_all_addresses_of_a_home_are_one_address():
    ask = RequestFactory().get
    assert address_of(ask("/", REMOTE_ADDR="2001:db8:1:2::a")) == address_of(ask("/", REMOTE_ADDR="2001:db8:1:2:f::b"))
    assert address_of(ask("/", REMOTE_ADDR="2001:db8:1:3::a")) != address_of(ask("/", REMOTE_ADDR="2001:db8:1:2::a"))
    assert address_of(ask("/", REMOTE_ADDR="203.0.113.7")) == "203.0.113.7"


def test_ipv4_address_in_the_form_of_ipv6_is_itself(settings):
    """So they come where the site listens at `::`: the first half of all of them is the same."""
    ask = RequestFactory().get
    settings.BEHIND_PROXY = True
    for headers in ({"REMOTE_ADDR": "::ffff:203.0.113.7"}, {"headers": {"X-Forwarded-For": "::ffff:203.0.113.7"}}):
        assert address_of(ask("/", **headers)) == "203.0.113.7"
    settings.BEHIND_PROXY = False
    assert AccountAdapter().get_client_ip(ask("/", REMOTE_ADDR="::ffff:203.0.113.7")) == "203.0.113.7"
    assert AccountAdapter().get_client_ip(ask("/", REMOTE_ADDR="2001:db8::1")) == "2001:db8::1"
    assert metrics(ask("/metrics", REMOTE_ADDR="::ffff:127.0.0.1")).status_code == 200
    assert metrics(ask("/metrics", REMOTE_ADDR="::ffff:203.0.113.7")).status_code == 403


def test_more_tokens_are_not_more_requests(ada, settings):
    settings.API_REQUESTS_A_MINUTE = {"token": 2, "address": 0}
    tokens = [create_token(ada, name=str(number))[1] for number in range(3)]
    asked = [Client(headers={"Authorization": f"Bearer {token}"}).get("/api/v1/benchmarks") for token in tokens]
    assert [answer.status_code for answer in asked] == [200, 200, 429]


def test_many_other_counts_do_not_push_out_a_count():
    cache.set("count", 7, timeout=60)
    for number in range(5000):
        cache.set(f"other-{number}", 1, timeout=60)
    assert cache.get("count") == 7


@pytest.mark.parametrize(
    ("path", "most"), [("/accounts/login/", MOST_OF_A_FORM), ("/api/v1/submissions", MOST_OF_A_CALL)]
)
def test_body_that_is_too_large_is_refused_before_it_is_read(client, path, most):
    answer = client.post(path, b"x", content_type="multipart/form-data; boundary=x", CONTENT_LENGTH=most + 1)
    assert answer.status_code == 413
    assert "bytes" in answer.json()["message"]


def test_what_is_read_into_memory_is_little_more_than_the_largest_message(settings):
    largest = max(webhooks.MOST_BYTES, calls.MOST_INPUTS, 4 * max(MOST_AT_ONCE, MOST_CHARACTERS))
    assert largest < settings.DATA_UPLOAD_MAX_MEMORY_SIZE < 2 * largest


def test_more_json_than_is_read_is_refused_in_json(client, settings):
    settings.DATA_UPLOAD_MAX_MEMORY_SIZE = 100
    answer = client.post("/api/v0/check/results/", "x" * 101, content_type="application/json")
    assert answer.status_code == 400
    assert answer.json()["errors"]


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        ("multipart/form-data", b""),
        ("multipart/form-data; boundary=x", b'--x\r\nContent-Disposition: form-data; name="a"\r\nX: ' + b"y" * 9000),
        ("multipart/form-data; boundary=x", IN_BASE64),
    ],
)
def test_form_that_is_none_is_refused_in_json(client, ada, content_type, body):
    headers = {"Authorization": f"Bearer {create_token(ada, name='all')[1]}"}
    answer = client.post("/api/v1/submissions", body, content_type=content_type, headers=headers)
    assert (answer.status_code, answer["Content-Type"]) == (400, "application/json")
    assert answer.json()["errors"]


def test_address_that_is_a_key_is_not_in_the_log(client, caplog):
    caplog.set_level(logging.INFO, logger="sotabench.requests")
    client.get("/accounts/password/reset/key/1-secret-key/")
    client.put("/api/v0/part/the-secret")
    client.get("/accounts/confirm-email/the-secret/")
    paths = [record.facts["path"] for record in caplog.records if hasattr(record, "facts")]
    assert len(paths) == 3
    assert not [path for path in paths if "secret" in path]


def test_address_that_is_a_key_is_in_no_line_of_the_log_whoever_writes_it(client, settings, caplog):
    """Django names the address of whatever it refuses, and what is refused at the door was not looked up yet."""
    assert "keys" in settings.LOGGING["handlers"]["stderr"]["filters"]
    client.put("/api/v0/part/the-secret")
    client.put("/api/v0/part/the-secret", CONTENT_LENGTH=MOST_OF_A_CALL + 1)
    client.put("/api/v0/part/the-secret", headers={"Host": "elsewhere.example"})
    client.delete("/accounts/confirm-email/the-secret/")
    client.get("/api/v0/nothing/else/at-all")
    said = [JsonFormatter().format(record) for record in caplog.records if WithoutKeys().filter(record)]
    assert sum("/api/v0/part/" in line for line in said) >= 3
    assert not [line for line in said if "secret" in line]
    assert [line for line in said if "django.request" in line and "/api/v0/nothing/else" in line]


@pytest.mark.parametrize(
    ("anybody", "by_oidc", "open_to"),
    [(True, True, ["", "github", "oidc"]), (False, True, ["oidc"]), (False, False, [])],
)
def test_accounts_are_made_for_whom_the_setting_names(settings, anybody, by_oidc, open_to):
    settings.SIGNUP_OPEN, settings.SIGNUP_BY_OIDC = anybody, by_oidc
    request = RequestFactory().get("/")
    found = [""] if AccountAdapter().is_open_for_signup(request) else []
    for provider in ("github", "oidc"):
        login = SocialLogin(account=SocialAccount(provider=provider))
        found += [provider] if SocialAccountAdapter().is_open_for_signup(request, login) else []
    assert found == open_to


@pytest.mark.parametrize("process", ["login", "connect"])
def test_form_that_leads_to_a_provider_is_answered_by_a_page_that_goes_there(client, settings, ada, process):
    """A browser would hold a redirect of the form against the policy, which lets forms go to this site alone."""
    settings.SOCIALACCOUNT_PROVIDERS = {"github": {"APPS": [{"client_id": "id", "secret": "s"}]}}
    if process == "connect":
        client.force_login(ada)
    answer = client.post(f"/accounts/github/login/?process={process}")
    assert answer.status_code == 200
    assert 'content="0; url=https://github.com/login/oauth/authorize?client_id=id&amp;' in answer.content.decode()
    assert "form-action 'self'" in answer["Content-Security-Policy"]
    assert "no-store" in answer["Cache-Control"]


def test_form_that_stays_here_is_answered_as_ever(client, ada):
    answer = client.post("/accounts/login/", {"login": "ada", "password": "correct horse battery"})
    assert (answer.status_code, answer["Location"]) == (302, "/")


def test_every_token_can_be_found_and_revoked(client, ada):
    for number in range(120):
        create_token(ada, name=f"token {number}")
    client.force_login(ada)
    first, last = ApiToken.objects.order_by("pk").first(), client.get("/settings/tokens?page=3")
    assert f"/settings/tokens/{first.pk}/revoke" in last.content.decode()


def test_provider_that_does_not_answer_is_a_plain_page(client, settings, db, caplog):
    app = {"provider_id": "oidc", "name": "Our company", "client_id": "id", "secret": "s"}
    app["settings"] = {"server_url": "http://127.0.0.1:9"}
    settings.SOCIALACCOUNT_PROVIDERS = {"openid_connect": {"APPS": [app]}}
    answer = client.post("/accounts/oidc/oidc/login/")
    assert answer.status_code == 502
    assert "expected the sign-in provider to answer" in answer.content.decode()
    assert "does not answer as it should" in caplog.text


@pytest.mark.django_db(transaction=True)
def test_name_that_is_taken_at_the_same_moment_is_a_plain_page(client):
    """As when somebody presses the button twice: it was free a moment ago."""

    def be_quicker(**_):
        pre_save.disconnect(be_quicker, sender=User)
        User.objects.create_user("Carol")

    pre_save.connect(be_quicker, sender=User)
    form = {"username": "carol", "email": "", "password1": PASSWORD, "password2": PASSWORD}
    answer = client.post("/accounts/signup/", form)
    assert (answer.status_code, "sign in, or choose another" in answer.content.decode()) == (409, True)
    assert User.objects.get().username == "Carol"
