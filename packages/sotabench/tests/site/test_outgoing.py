"""What the server asks on its own goes to public addresses alone, and is bounded in time and size."""

import socket
import threading
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from sotabench.server.outgoing import Question, Unanswered, ask


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        self.server.hosts.append(self.headers["Host"])
        if self.path == "/redirect":
            self.send_response(302)
            self.send_header("Location", "http://127.0.0.1:1/secret")
            self.end_headers()
            return
        self.send_response(200)
        self.end_headers()
        if self.path == "/huge":
            with suppress(OSError):  # the asker goes away
                for _ in range(100):
                    self.wfile.write(b"x" * 65536)
        elif self.path == "/slow":
            for _ in range(100):
                self.wfile.write(b"x")
                self.wfile.flush()
                if self.server.stopped.wait(0.1):
                    return
        else:
            self.wfile.write(b"hello")

    def log_message(self, *arguments):
        pass


@pytest.fixture
def host(settings):
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.hosts, server.stopped = [], threading.Event()
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    settings.INTERNAL_HOSTS = [f"git.example:{server.server_port}"]
    yield server
    server.stopped.set()
    server.shutdown()
    thread.join()
    server.server_close()


def loopback(name, port):
    return ["127.0.0.1"]


def url_of(server, path=""):
    return f"http://git.example:{server.server_port}/{path}"


@pytest.mark.parametrize(
    "address",
    ["127.0.0.1", "10.1.2.3", "169.254.169.254", "100.64.0.1", "168.63.129.16", "fd00:ec2::254", "fec0::1",
     "::ffff:140.82.121.4", "64:ff9b::808:808", "2002:7f00:1::", "fe80::1%eth0"],
)  # fmt: skip
def test_name_that_leads_to_no_public_address_is_refused(address):
    with pytest.raises(Unanswered, match="public host"):
        ask(Question("https://git.example/"), resolve=lambda name, port: [address])


@pytest.mark.parametrize(
    "url",
    [
        "http://example.org/", "file:///etc/passwd", "gopher://example.org/", "ftp://example.org/", "https:///x", "",
        "https://user:pass@example.org/", "https://user@example.org/", "https://[::1", "https://exa mple.org/",
        "https://example.org/\r\nX-Evil:1", "https://example.org:99999/", "//example.org/", "https://ex\u0430mple.org/",
    ],
)  # fmt: skip
def test_address_that_is_no_https_one_is_never_asked(url):
    def never(name, port):
        raise AssertionError("resolved")

    with pytest.raises(Unanswered):
        ask(Question(url), resolve=never)


@pytest.mark.parametrize(
    "url",
    ["https://127.0.0.1/", "https://localhost/", "https://2130706433/", "https://0x7f.1/", "https://[::1]:8443/x",
     "https://[::ffff:127.0.0.1]/", "https://169.254.169.254/latest/meta-data/"],
)  # fmt: skip
def test_loopback_and_metadata_are_refused_however_they_are_written(url):
    with pytest.raises(Unanswered, match="public host"):
        ask(Question(url))


def test_name_with_one_address_that_is_not_public_is_refused():
    with pytest.raises(Unanswered, match="public host"):
        ask(Question("https://rebinding.example/"), resolve=lambda name, port: ["140.82.121.4", "127.0.0.1"])


def test_name_is_resolved_once_so_that_it_cannot_change_after_the_check(host):
    seen = []

    def rebinding(name, port):
        seen.append(name)
        return ["127.0.0.1"] if len(seen) == 1 else ["169.254.169.254"]

    assert ask(Question(url_of(host)), resolve=rebinding).body == b"hello"
    assert seen == ["git.example"]
    assert host.hosts == [f"git.example:{host.server_port}"]


def test_listing_covers_the_port_that_is_listed_and_no_other(host):
    with pytest.raises(Unanswered, match="https"):
        ask(Question(f"http://git.example:{host.server_port + 1}/"), resolve=loopback)


def test_redirect_is_handed_back_and_not_followed(host):
    answer = ask(Question(url_of(host, "redirect")), resolve=loopback)
    assert (answer.status, answer.is_success) == (302, False)
    assert len(host.hosts) == 1


def test_huge_answer_is_cut_off(host):
    with pytest.raises(Unanswered, match="at most 1000 bytes"):
        ask(Question(url_of(host, "huge"), most=1000), resolve=loopback)


def test_slow_answer_ends_at_the_deadline(host):
    with pytest.raises(Unanswered, match="within 0.5 seconds"):
        ask(Question(url_of(host, "slow"), seconds=0.5), resolve=loopback)


@contextmanager
def _raw(settings, drip):
    """A server that speaks no proper HTTP: it sends what `drip` yields."""
    listening = socket.create_server(("127.0.0.1", 0))
    port = listening.getsockname()[1]
    settings.INTERNAL_HOSTS = [f"git.example:{port}"]
    stop = threading.Event()

    def serve():
        connection, _ = listening.accept()
        with connection:
            connection.recv(65536)
            for part in drip:
                if stop.wait(0.05):
                    return
                try:
                    connection.sendall(part)
                except OSError:
                    return

    thread = threading.Thread(target=serve)
    thread.start()
    yield f"http://git.example:{port}/"
    stop.set()
    thread.join()
    listening.close()


def test_header_that_never_ends_stops_at_the_deadline(settings):
    drip = (b"HTTP/1.1 200 OK\r\nX: " if no == 0 else b"x" for no in range(200))
    with _raw(settings, drip) as url, pytest.raises(Unanswered, match="within 0.4 seconds"):
        ask(Question(url, seconds=0.4), resolve=loopback)


def test_what_is_no_http_is_no_answer(settings):
    with _raw(settings, [b"SSH-2.0-OpenSSH_9.2\r\n\r\n"]) as url, pytest.raises(Unanswered):
        ask(Question(url, seconds=2), resolve=loopback)


def test_nobody_there_is_no_answer(settings):
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    settings.INTERNAL_HOSTS = [f"git.example:{port}"]
    with pytest.raises(Unanswered, match="git.example"):
        ask(Question(f"http://git.example:{port}/"), resolve=loopback)
