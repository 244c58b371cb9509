"""The network as a sandbox sees it: none, or what the proxy lets through."""

import socket
import threading

import pytest

from sotabench.runner.egress import Egress, Rules

FETCH = """
import sys, urllib.request
try:
    print(urllib.request.urlopen(sys.argv[1], timeout=20).read().decode())
except Exception as error:
    print("STOPPED by", error)
"""
TUNNEL = """
import os, socket, sys
proxy = os.environ["HTTPS_PROXY"].rpartition("/")[2].split(":")
connection = socket.create_connection((proxy[0], int(proxy[1])), timeout=20)
connection.sendall(f"CONNECT {sys.argv[1]} HTTP/1.1\\r\\n\\r\\n".encode())
print(connection.recv(1000).decode())
"""
REACH = """
import socket, sys
for family, address in ((socket.AF_INET, ("127.0.0.1", int(sys.argv[1]))), (socket.AF_UNIX, sys.argv[2]),
                        (socket.AF_UNIX, "\\0" + sys.argv[3]), (socket.AF_INET, ("1.1.1.1", 443))):
    try:
        socket.socket(family).connect(address)
        print("REACHED", address)
    except OSError as error:
        print("STOPPED by", error)
try:
    print("REACHED", socket.getaddrinfo("example.org", 443))
except OSError as error:
    print("STOPPED by", error)
"""


@pytest.fixture
def page():
    listener = socket.create_server(("127.0.0.1", 0))

    def serve():
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            with connection:
                connection.recv(65536)
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello")

    threading.Thread(target=serve, daemon=True).start()
    yield listener.getsockname()[1]
    listener.shutdown(socket.SHUT_RDWR)
    listener.close()


@pytest.mark.parametrize("has_proxy", [False, True], ids=["without a network", "with the proxy"])
def test_services_of_the_machine_and_of_the_world_are_not_reached(inside, page, tmp_path, say, has_proxy):
    path, name = str(tmp_path / "s"), "sotabench-test"
    with socket.socket(socket.AF_UNIX) as named, socket.socket(socket.AF_UNIX) as nameless, Egress(Rules()) as egress:
        named.bind(path)
        nameless.bind(f"\0{name}")
        named.listen()
        nameless.listen()
        network = egress.socket if has_proxy else None
        assert inside.python(REACH, str(page), path, name, network=network).well
    assert inside.text.count("STOPPED") == 5, inside.text
    assert "REACHED" not in inside.text
    say(inside.text)


def test_through_the_proxy_a_listed_host_is_reached_and_others_are_not(inside, page, say):
    rules = Rules.of(hosts=["github.com"], internal=[f"127.0.0.1:{page}", f"mirror.example.org:{page}"])
    lines = []
    with Egress(rules, slot=inside.sandbox.slot, log=lines.append, resolve=lambda *_: ["127.0.0.1"]) as egress:
        assert inside.python(FETCH, f"http://mirror.example.org:{page}/", network=egress.socket).well
        assert inside.text.strip() == "hello"
        for target in ("elsewhere.org:443", "github.com:22", "169.254.169.254:80", "github.com:443"):
            inside.python(TUNNEL, target, network=egress.socket)
            assert "403" in inside.text, target
            say(f"{target}: {inside.text.strip().splitlines()[-1]}")
    assert any("mirror.example.org" in line and "connected" in line for line in lines)


def test_the_command_behind_the_bridge_is_the_one_that_ends_the_task(inside):
    with Egress(Rules(), slot=inside.sandbox.slot) as egress:
        assert inside.run("sh", "-c", "exit 7", network=egress.socket).code == 7
        assert inside.run("sh", "-c", "kill -11 $$", network=egress.socket).code is None
        assert inside.run("nonesuch", network=egress.socket).code == 127
        code = "import os\ntry: os.wait()\nexcept ChildProcessError: print('no child')"
        inside.python(code, network=egress.socket)
        assert inside.text.strip() == "no child"


def test_a_proxy_that_is_gone_is_an_error_and_not_a_hang(inside, page):
    with Egress(Rules.of(internal=[f"127.0.0.1:{page}"]), slot=inside.sandbox.slot) as egress:
        listener = socket.socket(socket.AF_UNIX)
        egress.socket.unlink()
        listener.bind(str(egress.socket))  # nobody listens
        inside.python(TUNNEL, f"127.0.0.1:{page}", network=egress.socket)
        listener.close()
    assert "200" not in inside.text
