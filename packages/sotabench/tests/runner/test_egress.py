"""The proxy of a sandbox, asked over its unix socket by clients good and bad; every host is on loopback."""

import contextlib
import socket
import threading
import time

import pytest

from sotabench.addresses import is_public
from sotabench.errors import Misconfigured
from sotabench.runner.egress import Caps, Egress, Rules, index_rules
from sotabench.runner.egress.index import usual_places

NAME = "models.example.org"


class Host:
    """A server on loopback that keeps what it is sent, and answers each connection by one function."""

    def __init__(self, answer):
        self.received = bytearray()
        self.accepted = 0
        self._answer = answer
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self):
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                self.accepted += 1
                threading.Thread(target=self._one, args=(connection,), daemon=True).start()

    def _one(self, connection):
        with connection, contextlib.suppress(OSError):
            self._answer(self, connection)

    def close(self):
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()


def echo(host, connection):
    while block := connection.recv(65536):
        host.received += block
        connection.sendall(block)


def page(host, connection):
    host.received += connection.recv(65536)
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello")
    connection.settimeout(0.3)
    host.received += connection.recv(65536)


@pytest.fixture
def host():
    made = Host(echo)
    yield made
    made.close()


@pytest.fixture
def http_host():
    made = Host(page)
    yield made
    made.close()


class Resolver:
    """Names to addresses, one answer after the other; the last one stays."""

    def __init__(self, *answers):
        self.answers = list(answers)
        self.asked = []

    def __call__(self, name, port):
        self.asked.append((name, port))
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]


LOOPBACK = ["127.0.0.1"]


@contextlib.contextmanager
def egress(rules, *answers, **changes):
    lines = []
    resolver = Resolver(*(answers or (LOOPBACK,)))
    with Egress(rules, log=lines.append, resolve=resolver, **changes) as proxy:
        proxy.lines, proxy.resolver = lines, resolver
        yield proxy


def ask(proxy, request: bytes, *, then: bytes = b"", is_whole: bool = True) -> bytes:
    """All that comes back until the proxy hangs up; `then` is sent once the tunnel is open."""
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(20)
        client.connect(str(proxy.socket))
        client.sendall(request)
        answer = b""
        if then:
            while b"\r\n\r\n" not in answer:
                answer += client.recv(65536)
            client.sendall(then)
        if is_whole:
            client.shutdown(socket.SHUT_WR)
        with contextlib.suppress(ConnectionResetError):
            while block := client.recv(65536):
                answer += block
        return answer


def connect(name: str, port: int) -> bytes:
    return f"CONNECT {name}:{port} HTTP/1.1\r\nHost: {name}:{port}\r\n\r\n".encode()


def internal(host, name: str = NAME) -> Rules:
    return Rules.of(internal=[f"{name}:{host.port}"])


def test_a_listed_host_is_reached_and_what_went_there_is_counted(host):
    with egress(internal(host)) as proxy:
        answer = ask(proxy, connect(NAME, host.port), then=b"over the tunnel")
    assert answer == b"HTTP/1.1 200 Connection established\r\n\r\nover the tunnel"
    assert proxy.lines == [
        f"network: connected to {NAME}:{host.port}",
        f"network: {NAME}:{host.port}: connections 1, bytes sent 15, bytes received 15",
    ]


@pytest.mark.parametrize(
    "name",
    ["elsewhere.org", f"{NAME}.elsewhere.org", f"not{NAME}", "example.org", "localhost", "127.0.0.1", "2130706433",
     "0x7f.1", "[::1]", "[::ffff:127.0.0.1]", f"{NAME}@elsewhere.org", f"{NAME}%2eelsewhere.org",
     "м\u043edels.example.org"],
)  # fmt: skip
def test_a_host_that_is_not_listed_is_refused_and_not_even_looked_up(host, say, name):
    with egress(internal(host)) as proxy:
        answer = ask(proxy, f"CONNECT {name}:{host.port} HTTP/1.1\r\n\r\n".encode())
    assert answer.startswith((b"HTTP/1.1 403", b"HTTP/1.1 400"))
    assert proxy.resolver.asked == []
    assert host.accepted == 0
    say(proxy.lines[0])


def test_a_port_that_is_not_listed_is_refused(host):
    rules = Rules.of(hosts=["github.com", "*.example.org"], internal=[f"{NAME}:{host.port}"])
    with egress(rules) as proxy:
        for name, port in (("github.com", 22), ("github.com", 80), ("a.example.org", 8443), (NAME, host.port + 1)):
            assert ask(proxy, connect(name, port)).startswith(b"HTTP/1.1 403"), (name, port)
    assert proxy.resolver.asked == []


NOT_PUBLIC = [
    "127.0.0.1", "127.8.9.10", "0.0.0.0", "10.0.0.1", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1",
    "100.100.100.200", "168.63.129.16", "192.0.0.192", "192.0.2.1", "198.18.0.1", "203.0.113.1", "224.0.0.1",
    "240.0.0.1", "255.255.255.255", "::", "::1", "fe80::1", "fe80::1%eth0", "fc00::1", "fd00:ec2::254", "ff02::1",
    "::ffff:127.0.0.1", "::ffff:8.8.8.8", "::127.0.0.1", "64:ff9b::7f00:1", "64:ff9b::808:808", "64:ff9b:1::1",
    "2002:7f00:1::", "2001::1", "2001:db8::1", "3fff::1", "fec0::1", "not an address", "",
]  # fmt: skip


@pytest.mark.parametrize("address", NOT_PUBLIC)
def test_an_address_that_is_not_public_is_refused_though_the_name_is_listed(say, address):
    with egress(Rules.of(hosts=[NAME]), [address]) as proxy:
        answer = ask(proxy, connect(NAME, 443))
    assert answer.startswith(b"HTTP/1.1 403")
    assert b"no public address" in answer
    say(f"{address}: {proxy.lines[0]}")


@pytest.mark.parametrize("address", ["1.1.1.1", "151.101.0.223", "2606:4700:4700::1111", "2a04:4e42::223"])
def test_addresses_of_the_internet_are_public(address):
    assert is_public(address)


def test_a_name_is_resolved_once_and_the_connection_goes_to_the_address_that_was_judged(host):
    rebinding = (LOOPBACK, ["127.0.0.99"])
    with egress(internal(host), *rebinding) as proxy:
        assert ask(proxy, connect(NAME, host.port), then=b"x").endswith(b"x")
        assert proxy.resolver.asked == [(NAME, host.port)]
    with egress(Rules.of(hosts=[NAME]), ["10.0.0.1"], LOOPBACK) as proxy:
        assert ask(proxy, connect(NAME, 443)).startswith(b"HTTP/1.1 403")
        assert proxy.resolver.asked == [(NAME, 443)]


def test_an_internal_host_is_internal_at_its_own_port_alone():
    with egress(Rules.of(hosts=[NAME], internal=[f"{NAME}:8443"])) as proxy:
        assert b"no public address" in ask(proxy, connect(NAME, 443))


def test_a_host_that_is_gone_is_said_to_be(host):
    host.close()
    with egress(internal(host)) as proxy:
        assert ask(proxy, connect(NAME, host.port)).startswith(b"HTTP/1.1 502")


def test_plain_http_goes_to_internal_hosts_alone(http_host):
    with egress(internal(http_host) | Rules.of(hosts=["github.com", "github.com:80"])) as proxy:
        answer = ask(proxy, f"GET http://{NAME}:{http_host.port}/simple/ HTTP/1.1\r\nAccept: */*\r\n\r\n".encode())
        assert answer.endswith(b"hello")
        assert ask(proxy, b"GET http://github.com/ HTTP/1.1\r\n\r\n").startswith(b"HTTP/1.1 403")
        for method in ("POST", "PUT", "DELETE", "OPTIONS", "PATCH"):
            request = f"{method} http://{NAME}:{http_host.port}/ HTTP/1.1\r\n\r\n".encode()
            assert ask(proxy, request).startswith(b"HTTP/1.1 405"), method
    head = bytes(http_host.received)
    assert head.startswith(b"GET /simple/ HTTP/1.1\r\nHost: " + NAME.encode())
    assert http_host.accepted == 1


def test_no_second_request_is_smuggled_behind_a_first_one(http_host):
    first = f"GET http://{NAME}:{http_host.port}/ HTTP/1.1\r\nContent-Length: 60\r\nTransfer-Encoding: chunked\r\n"
    first += "Connection: keep-alive, X-Secret\r\nProxy-Authorization: Basic eA==\r\nX-Ours: kept\r\n\r\n"
    second = f"GET http://{NAME}:{http_host.port}/second HTTP/1.1\r\n\r\n"
    with egress(internal(http_host)) as proxy:
        answer = ask(proxy, (first + second).encode())
    head = bytes(http_host.received)
    assert answer.count(b"HTTP/1.1") == 1
    assert b"second" not in head
    assert b"X-Ours: kept" in head
    for name in (b"content-length", b"transfer-encoding", b"keep-alive", b"proxy-authorization"):
        assert name not in head.lower(), name


@pytest.mark.parametrize(
    "request_head",
    [
        b"CONNECT models.example.org HTTP/1.1\r\n\r\n",
        b"CONNECT models.example.org:443:443 HTTP/1.1\r\n\r\n",
        b"CONNECT http://models.example.org:443 HTTP/1.1\r\n\r\n",
        b"CONNECT models.example.org:443 HTTP/2.0\r\n\r\n",
        b"CONNECT models.example.org:443  HTTP/1.1\r\n\r\n",
        b"CONNECT models.example.org:443 HTTP/1.1\nHost: a\r\n\r\n",
        b"CONNECT models.example.org:443 HTTP/1.1\r\nHost : a\r\n\r\n",
        b"CONNECT models.example.org:443 HTTP/1.1\r\nA: b\r\n folded\r\n\r\n",
        b"CONNECT models.example.org:443 HTTP/1.1\r\nA: \x00\r\n\r\n",
        b"connect models.example.org:443 HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: models.example.org\r\n\r\n",
        b"GET https://models.example.org/ HTTP/1.1\r\n\r\n",
        b"GET http://user@models.example.org/ HTTP/1.1\r\n\r\n",
        b"GET http://models.example.org/\tx HTTP/1.1\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\r\n\r\n",
        b"\r\n\r\n",
    ],
)
def test_a_request_that_could_be_read_in_two_ways_is_refused(request_head):
    with egress(Rules.of(internal=["models.example.org:443", "models.example.org:80"])) as proxy:
        assert ask(proxy, request_head).startswith(b"HTTP/1.1 400")
        assert proxy.resolver.asked == []


def test_a_head_without_end_is_refused(host):
    with egress(internal(host)) as proxy:
        assert ask(proxy, b"CONNECT a:443 HTTP/1.1\r\nA: " + b"b" * 40_000).startswith(b"HTTP/1.1 431")


def test_a_head_that_drips_is_cut_though_each_byte_comes_soon(host):
    with egress(internal(host), caps=Caps(head=0.3)) as proxy, socket.socket(socket.AF_UNIX) as client:
        client.connect(str(proxy.socket))
        client.settimeout(0.02)
        answer = b""
        for letter in b"CONNECT " + b"a" * 100_000:
            with contextlib.suppress(TimeoutError, BrokenPipeError):
                client.sendall(bytes([letter]))
                answer = client.recv(1000)
                break
        assert answer.startswith(b"HTTP/1.1 408")


def test_a_silent_tunnel_is_cut(host):
    with egress(internal(host), caps=Caps(idle=0.3)) as proxy:
        assert ask(proxy, connect(NAME, host.port), then=b"x", is_whole=False).endswith(b"x")


def test_bytes_out_are_bounded_over_all_connections(host):
    with egress(internal(host), caps=Caps(sent=100_000)) as proxy:
        assert ask(proxy, connect(NAME, host.port), then=b"x" * 60_000).count(b"x") == 60_000
        ask(proxy, connect(NAME, host.port), then=b"x" * 60_000)
        ask(proxy, connect(NAME, host.port), then=b"y" * 60_000)
    assert any("more than 100000 bytes were sent" in line for line in proxy.lines)
    assert len(host.received) <= 100_000


def test_bytes_in_are_bounded(host):
    with egress(internal(host), caps=Caps(received=100_000)) as proxy:
        answer = ask(proxy, connect(NAME, host.port), then=b"x" * 300_000)
    assert answer.count(b"x") <= 100_000
    assert any("bytes were received" in line for line in proxy.lines)


def test_hosts_without_number_do_not_fill_the_log(host):
    with egress(Rules.of(internal=(names := [f"{n}.example.org:{host.port}" for n in range(230)]))) as proxy:
        assert all(ask(proxy, f"CONNECT {name} HTTP/1.1\r\n\r\n".encode()) for name in names)
    assert (len(proxy.lines), proxy.lines[-1]) == (402, "network: 30 further hosts are left out")


def test_connections_at_once_are_bounded(host):
    with egress(internal(host), caps=Caps(at_once=2)) as proxy, contextlib.ExitStack() as stack:
        for _ in range(2):
            client = stack.enter_context(socket.socket(socket.AF_UNIX))
            client.connect(str(proxy.socket))
            client.sendall(connect(NAME, host.port))
            assert client.recv(1000).startswith(b"HTTP/1.1 200")
        assert ask(proxy, connect(NAME, host.port)).startswith(b"HTTP/1.1 503")


def test_leaving_cuts_open_tunnels(host):
    with socket.socket(socket.AF_UNIX) as client:
        with egress(internal(host)) as proxy:
            client.connect(str(proxy.socket))
            client.sendall(connect(NAME, host.port))
            assert client.recv(1000).startswith(b"HTTP/1.1 200")
        assert client.recv(1000) == b""
    assert not proxy.socket.exists()


def test_the_log_is_bounded_and_holds_nothing_but_text(host):
    with egress(internal(host)) as proxy:
        for number in range(250):
            ask(proxy, f"CONNECT host{number}.org:443 HTTP/1.1\r\n\r\n".encode())
        ask(proxy, b"CONNECT \x1b[31mred:443 HTTP/1.1\r\n\r\n")
    assert len(proxy.lines) <= 202
    assert all(line.isprintable() for line in proxy.lines)


def test_a_slow_reader_does_not_fill_the_proxys_memory(host):
    def flood(_, connection):
        for _ in range(2000):
            connection.sendall(bytes(1 << 16))

    source = Host(flood)
    with egress(internal(source)) as proxy, socket.socket(socket.AF_UNIX) as client:
        client.connect(str(proxy.socket))
        client.sendall(connect(NAME, source.port))
        client.recv(100)
        before = -1
        while before != (now := sum(traffic.received for traffic in proxy.traffic.values())) or not now:
            before = now
            time.sleep(0.3)
        assert now < 4 << 20
    source.close()


@pytest.mark.parametrize("text", ["", "*", "*.", "a b", "http://a", "a/b", "a:0", "a:70000", "*.*.a", "a:443:1", "-a"])
def test_what_is_no_rule_is_said_to_be_none(text):
    with pytest.raises(Misconfigured, match="expected"):
        Rules.of(hosts=[text])
    with pytest.raises(Misconfigured, match="expected host:port"):
        Rules.of(internal=["*.example.org:443"])


def test_rules_hold_for_every_spelling_of_a_host(host):
    rules = Rules.of(hosts=["GitHub.com", "*.Example.ORG", "a.b:8443"])
    assert rules.allows("github.com", 443)
    assert rules.allows("x.y.example.org", 443)
    assert rules.allows("a.b", 8443)
    assert not rules.allows("example.org", 443)
    assert not rules.allows("a.b", 443)
    with egress(internal(host)) as proxy:
        assert ask(proxy, connect("Models.Example.ORG.", host.port), then=b"x").endswith(b"x")


def test_hosts_of_the_index_are_those_of_the_machines_pip_and_uv(tmp_path):
    (tmp_path / "pip.conf").write_text(
        "[global]\nindex-url = https://ada:secret@mirror.example.org/simple\nextra-index-url =\n  http://10.0.0.7:3141/a\n"
        "  https://download.example.net/whl/cpu\nfind-links = /srv/wheels\n[search]\nindex = https://no.example.org\n"
    )
    (tmp_path / ".config/uv").mkdir(parents=True)
    (tmp_path / ".config/uv/uv.toml").write_text(
        '[[index]]\nname = "lab"\nurl = "https://lab.example.org:8443/simple"\n'
    )
    environment = {
        "PIP_EXTRA_INDEX_URL": "https://[2001:db8::1]:8080/simple",
        "UV_INDEX": "own=https://own.example.org",
    }
    rules = index_rules(environment, home=tmp_path, prefix=tmp_path)
    assert rules.hosts == set()
    assert rules.internal >= {
        "mirror.example.org:443", "10.0.0.7:3141", "download.example.net:443", "lab.example.org:8443",
        "2001:db8::1:8080", "own.example.org:443",
    }  # fmt: skip
    assert not any("secret" in place or "no.example" in place for place in rules.internal)
    assert not rules.internal & {*usual_places()}
    assert rules.is_internal("2001:db8::1", 8080)


def test_without_any_setting_the_index_is_the_public_one(tmp_path):
    rules = index_rules({"PIP_CONFIG_FILE": "/dev/null"}, home=tmp_path, prefix=tmp_path)
    index, files = usual_places()
    assert rules.internal == {index, files}
    assert rules.allows(index.removesuffix(":443"), 443)


def test_a_broken_configuration_of_pip_is_named(tmp_path):
    (tmp_path / "pip.conf").write_text("index-url without a section")
    with pytest.raises(Misconfigured, match=r"pip\.conf"):
        index_rules({}, home=tmp_path, prefix=tmp_path)
