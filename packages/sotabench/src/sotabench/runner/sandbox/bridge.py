"""Inside the sandbox: a loopback port that leads to the egress proxy's unix socket.

Run as `bridge.py PORT SOCKET -- COMMAND...`: listens, leaves a process behind that relays, and becomes the command,
with the proxy in its environment. It guards nothing: the sandbox has no network, and what may pass is the proxy's to
say, at the other end of the socket. A file on its own, since it runs with the standard library alone.
"""

import os
import socket
import sys
import threading

BLOCK = 1 << 16
STACK = 1 << 18
OFFLINE = "localhost,127.0.0.1,::1"


def main(arguments: list[str]) -> None:
    """Never comes back: becomes the command."""
    port, path, separator, *command = arguments
    if separator != "--":
        sys.exit("expected PORT SOCKET -- COMMAND")
    listener = socket.create_server(("127.0.0.1", int(port)), backlog=128)
    if os.fork() == 0:
        if os.fork() == 0:  # its parent is gone, so the command will not find a child that it never started
            _become_silent()
            _serve(listener, path)
        os._exit(0)
    os.wait()
    listener.close()
    proxy = f"http://127.0.0.1:{port}"
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        os.environ[name] = os.environ[name.lower()] = proxy
    os.environ["NO_PROXY"] = os.environ["no_proxy"] = OFFLINE
    try:
        os.execvp(command[0], command)  # noqa: S606 - inside the sandbox
    except OSError as error:
        sys.stderr.write(f"{command[0]}: {error.strerror}\n")
        sys.exit(127)


def _become_silent() -> None:
    nothing = os.open(os.devnull, os.O_RDWR)
    for number in (0, 1, 2):
        os.dup2(nothing, number)


def _serve(listener: socket.socket, path: str) -> None:
    threading.stack_size(STACK)
    while True:
        client, _ = listener.accept()
        proxy = socket.socket(socket.AF_UNIX)
        try:
            proxy.connect(path)
            for one, other in ((client, proxy), (proxy, client)):
                threading.Thread(target=_pump, args=(one, other), daemon=True).start()
        except (OSError, RuntimeError):  # no proxy, or the task may start no more threads
            client.close()
            proxy.close()


def _pump(source: socket.socket, target: socket.socket) -> None:
    try:
        while block := source.recv(BLOCK):
            target.sendall(block)
        target.shutdown(socket.SHUT_WR)
    except OSError:
        for end in (source, target):
            _hang_up(end)


def _hang_up(end: socket.socket) -> None:
    try:
        end.shutdown(socket.SHUT_RDWR)
    except OSError:
        end.close()


if __name__ == "__main__":
    main(sys.argv[1:])
