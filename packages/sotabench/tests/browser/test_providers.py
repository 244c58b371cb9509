"""Signing in with another account, in a real browser, at a provider that sends on from one origin to another."""

import json
import threading
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import expect

from sotabench.server.accounts.models import User


class Provider(BaseHTTPRequestHandler):
    """An OpenID Connect provider: what it is told first at one port, where it lets people in at another."""

    def __init__(self, door, *rest):
        self._door = door
        super().__init__(*rest)

    def do_GET(self):
        url = urlsplit(self.path)
        here = f"http://{self.headers['Host']}"
        if url.path == "/.well-known/openid-configuration":
            self._say({
                "issuer": here, "authorization_endpoint": f"{here}/authorize",
                "token_endpoint": f"{here}/token", "userinfo_endpoint": f"{here}/me", "jwks_uri": f"{here}/keys",
            })  # fmt: skip
        elif url.path == "/authorize":
            self._send_on(f"{self._door()}/door?{url.query}")
        elif url.path == "/door":
            asked = parse_qs(url.query)
            self._send_on(f"{asked['redirect_uri'][0]}?code=a-code&state={asked['state'][0]}")
        else:
            self._say({"sub": "7", "preferred_username": "grace", "email": "grace@example.org"})

    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        self._say({"access_token": "a-token", "token_type": "Bearer"})

    def log_message(self, *_):
        """Say nothing."""

    def _say(self, facts):
        content = json.dumps(facts).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def _send_on(self, address):
        self.send_response(302)
        self.send_header("Location", address)
        self.send_header("Content-Length", "0")
        self.end_headers()


@pytest.fixture
def provider(settings, visitors):
    """A company's sign-in, which alone decides who is a member; a browser may ask its two addresses."""
    handler = partial(Provider, lambda: addresses[1])
    servers = [ThreadingHTTPServer(("127.0.0.1", 0), handler) for _ in range(2)]
    addresses = [f"http://127.0.0.1:{server.server_port}" for server in servers]
    threads = [threading.Thread(target=server.serve_forever) for server in servers]
    for thread in threads:
        thread.start()
    app = {"provider_id": "oidc", "name": "Our company", "client_id": "id", "secret": "s"}
    settings.SOCIALACCOUNT_PROVIDERS = {
        "openid_connect": {"APPS": [app | {"settings": {"server_url": addresses[0]}}]},
    }
    settings.MEMBERS_ONLY, settings.SIGNUP_OPEN, settings.SIGNUP_BY_OIDC = True, False, True
    yield addresses[0]
    for server, thread in zip(servers, threads, strict=True):
        server.shutdown()
        thread.join()
        server.server_close()
    own = tuple(f"asks another host: {address}/" for address in addresses)
    visitors.complaints[:] = [one for one in visitors.complaints if not one.startswith(own)]


def test_member_signs_in_through_the_company(visitor, provider):
    visitor.goto("/benchmarks")
    expect(visitor.get_by_role("heading", level=1)).to_have_text("Sign in")
    visitor.get_by_role("button", name="Our company").click()
    expect(visitor.get_by_role("link", name="grace")).to_be_visible()
    assert User.objects.get().username == "grace"


def test_member_signs_in_by_the_page_that_asks_whether_they_mean_it(visitor, provider):
    visitor.goto("/accounts/oidc/oidc/login/")
    visitor.get_by_role("button", name="Continue").click()
    expect(visitor.get_by_role("link", name="grace")).to_be_visible()


def test_user_adds_the_company_to_an_account(ada, provider, signed_in):
    page = signed_in(ada)
    page.goto("/accounts/3rdparty/")
    page.get_by_role("link", name="Our company").click()
    page.get_by_role("button", name="Continue").click()
    page.wait_for_url("**/accounts/3rdparty/")
    assert [account.uid for account in ada.socialaccount_set.all()] == ["7"]
