"""ssh's ProxyCommand: `tunnel.py HOST PORT` joins standard input and output to HOST, through the egress proxy."""

import os
import socket
import sys
import threading
from urllib.parse import urlsplit

BLOCK = 1 << 16


def main(host: str, port: str) -> None:
    """Relays until either end is done."""
    proxy = urlsplit(os.environ["HTTPS_PROXY"])
    connection = socket.create_connection((proxy.hostname or "127.0.0.1", proxy.port or 80))
    connection.sendall(f"CONNECT {host}:{port} HTTP/1.1\r\nHost: {host}:{port}\r\n\r\n".encode())
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        byte = connection.recv(1)  # what follows the head is ssh's
        if not byte:
            sys.exit(f"the proxy hung up: {head.decode(errors='replace')}")
        head += byte
    if head.split(b" ", 2)[1] != b"200":
        sys.exit(f"the proxy refused {host}:{port}: {head.splitlines()[0].decode(errors='replace')}")
    threading.Thread(target=_send, args=(connection,), daemon=True).start()
    while block := connection.recv(BLOCK):
        os.write(1, block)


def _send(connection: socket.socket) -> None:
    while block := os.read(0, BLOCK):
        connection.sendall(block)
    connection.shutdown(socket.SHUT_WR)


if __name__ == "__main__":
    main(*sys.argv[1:])
