"""`sb` meets addresses, tokens and answers that are not what they should be: one line, and the token stays at home."""

import json
import subprocess
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from sotabench.checkout import repository_of
from sotabench.client import Site
from sotabench.config import load_config, save_token
from sotabench.errors import Misconfigured, SiteRefused, SiteUnreachable, Unusable


@pytest.fixture
def answering():
    """A server that answers each request with the next of the answers; what it was sent."""
    seen, answers, servers = [], [], []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            seen.append(dict(self.headers))
            status, headers, body = answers.pop(0)
            self.send_response(status)
            for name, value in {"Content-Length": str(len(body)), **headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        do_POST = do_GET  # noqa: N815 - the name is http.server's

        def log_message(self, *_):
            pass

    def start(*given):
        answers.extend(given)
        server = HTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        servers.append(server)
        return f"http://127.0.0.1:{server.server_port}", seen

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


@pytest.mark.parametrize("url", ["http://[::1", "http://", "ftp://a", "http://a b", "http://a\nb"])
def test_address_that_is_none_is_misconfigured(url):
    with pytest.raises(Misconfigured, match="address"):
        load_config("/none", "default", {"SOTABENCH_URL": url})


@pytest.mark.parametrize("token", ["sb_ü", "sb a", "sb\x1b"])
def test_token_that_no_header_holds_is_misconfigured(token):
    with pytest.raises(Misconfigured, match="token") as raised:
        load_config("/none", "default", {"SOTABENCH_TOKEN": token})
    assert token not in str(raised.value)


def token_in(file, environment):
    return load_config(file, "default", environment).token


def test_token_of_one_site_is_not_sent_to_another(tmp_path):
    file = tmp_path / "sotabenchapi.ini"
    config = load_config(file, "default", {"SOTABENCH_URL": "https://one.example.org"})
    save_token(config, url=config.url, token="sb_one")
    assert token_in(file, {}) == "sb_one"
    assert token_in(file, {"SOTABENCH_URL": "https://one.example.org/api/v0/"}) == "sb_one"
    assert token_in(file, {"SOTABENCH_URL": "https://two.example.org"}) == ""
    both = {"SOTABENCH_URL": "https://two.example.org", "SOTABENCH_TOKEN": "sb_two"}
    assert token_in(file, both) == "sb_two"


def test_token_without_an_address_is_the_older_clients_and_is_used(tmp_path):
    file = tmp_path / "sotabenchapi.ini"
    file.write_text("[default]\ntoken = sb_old\nsotabench_check = full\n")
    assert token_in(file, {"SOTABENCH_URL": "https://one.example.org"}) == "sb_old"


def test_configuration_that_is_a_link_stays_one(tmp_path):
    (tmp_path / "kept").mkdir()
    real, link = tmp_path / "kept" / "real.ini", tmp_path / "link.ini"
    link.symlink_to(real)
    save_token(load_config(link, "default", {}), url="https://one.example.org", token="sb_one")
    assert link.is_symlink()
    assert "sb_one" in real.read_text()
    assert [path.name for path in real.parent.iterdir()] == ["real.ini"]


def test_redirect_is_not_followed_and_says_where_the_site_is(answering):
    url, seen = answering((301, {"Location": "https://elsewhere.example.org/api/v1/x"}, b""))
    with pytest.raises(SiteUnreachable, match=r"elsewhere\.example\.org.*SOTABENCH_URL"):
        Site(url, "sb_secret").get("v1/x")
    assert len(seen) == 1


def test_wait_that_a_site_asks_for_is_within_reason(answering):
    refused = (429, {"X-Ratelimit-Retry": "nan"}, b'{"message": "slow down"}')
    url, _ = answering(refused, (200, {}, b'{"fine": true}'))
    assert Site(url).get("v1/x") == {"fine": True}


@pytest.mark.parametrize("body", [b"[]", b'{"items": 3}', b'{"other": 1}', b"3"])
def test_answer_of_something_else_is_no_traceback(answering, body):
    url, _ = answering((200, {}, body), (200, {}, body))
    with pytest.raises(SiteUnreachable, match="sotabench site"):
        list(Site(url).pages("v1/x"))
    with pytest.raises(SiteUnreachable, match="sotabench site"):
        Site(url).log_in("ada", "secret")


ASKED = {
    "what it would refuse": lambda site: site.check_results([]),
    "a repository's number": lambda site: site.repository("a/b")["id"],
    "a part of an upload": lambda site: site.post("v0/upload/start/", {})["state"],
}


@pytest.mark.parametrize("asked", ASKED.values(), ids=list(ASKED))
@pytest.mark.parametrize(
    "body", [b"{}", b'{"response": {}}', b'{"response": 3}', b'{"items": [{}], "count": 1}', b"[]"]
)
def test_answer_without_what_was_asked_for_is_no_traceback(answering, asked, body):
    url, _ = answering((200, {}, body))
    with pytest.raises(SiteUnreachable, match="sotabench site"):
        asked(Site(url))


def test_message_of_a_site_cannot_move_the_cursor(answering):
    url, _ = answering((404, {}, json.dumps({"message": "\x1b[2Jno\nsuch"}).encode()))
    with pytest.raises(SiteRefused) as raised:
        Site(url).get("v1/x")
    assert str(raised.value) == r"\x1b[2Jno\nsuch"


def test_password_in_a_remotes_address_is_not_printed(tmp_path):
    subprocess.run(["git", "init", "--quiet", tmp_path], check=True)
    subprocess.run(
        ["git", "remote", "add", "origin", "https://ada@x:gh_secret@example.org/net"], cwd=tmp_path, check=True
    )
    with pytest.raises(Unusable) as raised:
        repository_of(tmp_path)
    assert "gh_secret" not in str(raised.value)
