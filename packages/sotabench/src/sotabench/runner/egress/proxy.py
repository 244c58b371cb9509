"""The proxy at the other end of a sandbox's only way out: a unix socket.

It opens tunnels (CONNECT) to hosts that the rules list, at port 443 unless they say otherwise. A name is resolved once,
here; addresses that are not public are refused unless the operator listed that very host and port; the connection goes
to the address that was judged. Bytes each way, connections and waiting are bounded.

What it does **not** protect against: an allowed host takes uploads as well as it gives downloads; a host behind a
network that serves many (domain fronting) may stand for others there, since what goes through a tunnel is not read;
a resolver that lies about a public name can lead to another public host, where TLS is then the client's to check.
"""

import asyncio
import contextlib
import os
import socket
import tempfile
import threading
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from benchrecord import printable
from sotabench.addresses import is_public
from sotabench.runner.egress.requests import END, LONGEST, Refused, Request, read_request
from sotabench.runner.egress.rules import Rules
from sotabench.runner.sandbox.plan import Slot

BLOCK = 1 << 16
MOST_LINES = 200

Resolve = Callable[[str, int], Sequence[str]]


@dataclass(frozen=True)
class Caps:
    """Bounds for one proxy, all its connections together where it says so."""

    sent: int = 64 << 20  # bytes out of the sandbox, together
    received: int = 50 << 30  # bytes into it, together
    at_once: int = 64
    connections: int = 20_000  # together
    head: float = 10.0  # seconds until a request's head is whole
    connect: float = 20.0
    idle: float = 120.0  # seconds without a byte either way


@dataclass
class Traffic:
    """What went to one host."""

    connections: int = 0
    sent: int = 0
    received: int = 0


def addresses_of(host: str, port: int) -> Sequence[str]:
    """What the machine's own resolver says."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


class Egress:
    """Use as a context: the proxy works while it lasts, in a thread of its own, behind `socket`.

    `log` is given a line for each host at its first connection and at the end, and for each kind of refusal, from that
    thread. On leaving, open tunnels are cut.
    """

    def __init__(
        self,
        rules: Rules,
        *,
        slot: Slot | None = None,
        log: Callable[[str], None] = lambda _: None,
        caps: Caps = Caps(),
        resolve: Resolve = addresses_of,
    ) -> None:
        self._guard = _Guard(rules, caps, resolve)
        self._log = log
        self._slot = slot
        self._folder = tempfile.TemporaryDirectory(prefix="sotabench-")
        self.socket = Path(self._folder.name, "egress.sock")

    @property
    def traffic(self) -> dict[str, Traffic]:
        """What went to each host so far."""
        return self._guard.traffic

    @property
    def not_listed(self) -> Collection[str]:
        """Hosts that were asked for and are not among the rules; of very many, some."""
        return self._guard.not_listed

    def __enter__(self) -> Self:
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(str(self.socket))
        listener.listen(128)
        if self._slot and os.geteuid() == 0:
            os.chown(self._folder.name, self._slot.uid, self._slot.gid)
            os.chown(self.socket, self._slot.uid, self._slot.gid)
        self._loop = asyncio.new_event_loop()
        self._stopping = asyncio.Event()
        self._thread = threading.Thread(target=self._run, args=(listener,), name="egress", daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._stopping.set)
        self._thread.join()
        self._folder.cleanup()
        for host, traffic in sorted(self.traffic.items())[:MOST_LINES]:
            self._log(
                f"network: {printable(host, 100)}: connections {traffic.connections}, bytes sent {traffic.sent}, "
                f"bytes received {traffic.received}"
            )
        if (further := len(self.traffic) - MOST_LINES) > 0:
            self._log(f"network: {further} further hosts are left out")

    def _run(self, listener: socket.socket) -> None:
        with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
            runner.run(self._serve(listener))

    async def _serve(self, listener: socket.socket) -> None:
        lines = _Lines(self._log)
        tunnels: set[asyncio.Task[None]] = set()

        async def client(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            task = asyncio.current_task()
            if task:
                tunnels.add(task)
                task.add_done_callback(tunnels.discard)
            with contextlib.suppress(asyncio.CancelledError):  # what is cut by leaving ends well
                await _Client(self._guard, reader, writer, lines).serve()

        server = await asyncio.start_unix_server(client, sock=listener, limit=LONGEST, backlog=128)
        async with server:
            await self._stopping.wait()
            for task in tunnels:
                task.cancel()


class _Lines:
    """The log's lines, each once, and not without end: a stranger decides how many there could be."""

    def __init__(self, log: Callable[[str], None]) -> None:
        self._log = log
        self._said: set[str] = set()

    def say(self, line: str) -> None:
        if line in self._said or len(self._said) > MOST_LINES:
            return
        self._said.add(line)
        self._log(line if len(self._said) <= MOST_LINES else "network: further lines are left out")


class _Guard:
    """Who may connect where, and what went through so far."""

    def __init__(self, rules: Rules, caps: Caps, resolve: Resolve) -> None:
        self.caps = caps
        self.traffic: dict[str, Traffic] = {}
        self.not_listed: set[str] = set()
        self._rules, self._resolve = rules, resolve
        self._now = self._ever = 0

    @contextlib.contextmanager
    def place(self) -> Iterator[None]:
        """A place among the connections. Raises Refused when none is left."""
        if self._now >= self.caps.at_once or self._ever >= self.caps.connections:
            raise Refused("503 Service Unavailable", "expected fewer connections, found too many")
        self._now, self._ever = self._now + 1, self._ever + 1
        try:
            yield
        finally:
            self._now -= 1

    async def connect(self, request: Request) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """A connection to an address that was judged. Raises Refused."""
        host, port = request.host, request.port
        is_internal = self._rules.is_internal(host, port)
        if not self._rules.allows(host, port) or (request.head and not is_internal):
            if len(self.not_listed) < MOST_LINES:
                self.not_listed.add(printable(host, 100))
            raise Refused("403 Forbidden", "it is not among the hosts that this stage may reach")
        try:
            async with asyncio.timeout(self.caps.connect):
                found = await asyncio.get_running_loop().run_in_executor(None, self._resolve, host, port)
                address = next((one for one in found if is_internal or is_public(one)), None)
                if address is None:
                    raise Refused("403 Forbidden", "it has no public address" if found else "it has no address")
                reader, writer = await asyncio.open_connection(address, port, limit=BLOCK)
        except (OSError, UnicodeError) as error:
            raise Refused("502 Bad Gateway", f"it cannot be reached: {type(error).__name__}") from error
        if not is_internal and writer.get_extra_info("sockname")[0] == writer.get_extra_info("peername")[0]:
            writer.close()
            raise Refused("403 Forbidden", "it is this machine")
        return reader, writer

    def count(self, traffic: Traffic, *, sent: int = 0, received: int = 0) -> None:
        """Add bytes. Raises Refused when that is more than may go through."""
        traffic.sent += sent
        traffic.received += received
        if sum(one.sent for one in self.traffic.values()) > self.caps.sent:
            raise Refused("", f"more than {self.caps.sent} bytes were sent")
        if sum(one.received for one in self.traffic.values()) > self.caps.received:
            raise Refused("", f"more than {self.caps.received} bytes were received")


class _Client:
    """One connection out of the sandbox."""

    def __init__(
        self, guard: _Guard, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, lines: _Lines
    ) -> None:
        self._guard, self._reader, self._writer, self._lines = guard, reader, writer, lines
        self._heard = time.monotonic()

    async def serve(self) -> None:
        """One request: the answer to a second one would be another host's to read."""
        where = "a request"
        try:
            with self._guard.place():
                request = read_request(await self._head())
                where = f"{printable(request.host, 100)}:{request.port}"
                reader, writer = await self._guard.connect(request)
                self._lines.say(f"network: connected to {where}")
                traffic = self._guard.traffic.setdefault(where, Traffic())
                traffic.connections += 1
                with contextlib.closing(writer):
                    await self._relay(request, reader, writer, traffic)
        except Refused as refusal:
            self._lines.say(f"network: refused {where}: {refusal}")
            self._refuse(refusal)
        except (OSError, asyncio.IncompleteReadError):
            pass  # either end hung up
        finally:
            self._writer.close()

    async def _head(self) -> bytes:
        try:
            async with asyncio.timeout(self._guard.caps.head):
                return await self._reader.readuntil(END)
        except TimeoutError:
            raise Refused("408 Request Timeout", "its head did not come in time") from None
        except asyncio.LimitOverrunError:
            raise Refused("431 Request Header Fields Too Large", f"its head is longer than {LONGEST} bytes") from None

    def _refuse(self, refusal: Refused) -> None:
        """Say so, unless bytes of the host have gone to the client already."""
        if refusal.status:
            body = f"sotabench: refused: {refusal}\n".encode()
            head = f"HTTP/1.1 {refusal.status}\r\nContent-Type: text/plain\r\nContent-Length: {len(body)}\r\n"
            self._writer.write(head.encode() + b"Connection: close\r\n\r\n" + body)

    async def _relay(
        self, request: Request, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, traffic: Traffic
    ) -> None:
        received = self._pump(reader, self._writer, lambda count: self._guard.count(traffic, received=count))
        if request.head:
            self._guard.count(traffic, sent=len(request.head))
            writer.write(request.head)
            await received
            return
        self._writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
        try:
            async with asyncio.TaskGroup() as both:
                both.create_task(received)
                both.create_task(self._pump(self._reader, writer, lambda count: self._guard.count(traffic, sent=count)))
        except* Refused as refusals:
            self._lines.say(f"network: cut {printable(request.host, 100)}: {refusals.exceptions[0]}")
        except* OSError:
            pass

    async def _pump(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, count: Callable[[int], None]
    ) -> None:
        """One direction, until its end or until nothing has gone either way for long."""
        while block := await self._read(reader):
            self._heard = time.monotonic()
            count(len(block))
            writer.write(block)
            async with asyncio.timeout(self._guard.caps.idle):
                await writer.drain()
        if writer.can_write_eof():
            writer.write_eof()

    async def _read(self, reader: asyncio.StreamReader) -> bytes:
        while True:
            left = self._heard + self._guard.caps.idle - time.monotonic()
            if left <= 0:
                raise TimeoutError
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(left):
                    return await reader.read(BLOCK)
