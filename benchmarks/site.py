"""How long the server takes for a whole page of a site with a large leaderboard, on SQLite and on PostgreSQL.

Usage: python benchmarks/site.py [--quick] [--images N] [--repetitions N] [--load-before N]

--images is here the number of results on the leaderboard. A site of its own is made in a temporary folder, filled by
`site_data.py` and served by `sotabench serve` on loopback; pages are asked for one at a time.
"""

import http.client
import json
import os
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from measuring import Asked, Machine, asked_for, process_stat, processor_seconds, table

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "tools"))

from with_postgres import temporary_database  # noqa: E402 - its folder is put on the path first

ROWS = 50
LIMIT = 0.1
SIGNED_OUT, SIGNED_IN = "signed out", "signed in"
WARMING = 2

Facts = Mapping[str, Any]


@dataclass
class Taken:
    """What the requests for one page took: seconds of each, and processor seconds of the server and its database."""

    seconds: list[float] = field(default_factory=list)
    processor: float = 0.0

    def at_95(self) -> float:
        """The 95th percentile: at most one in twenty took longer."""
        return sorted(self.seconds)[-(-len(self.seconds) * 95 // 100) - 1]

    def cells(self) -> list[str]:
        """Median, 95th percentile, maximum and mean processor time, in milliseconds."""
        count = len(self.seconds)
        figures = (statistics.median(self.seconds), self.at_95(), max(self.seconds), self.processor / count)
        return [f"{figure * 1000:,.0f}" for figure in figures]


def pages(facts: Facts) -> dict[str, list[str]]:
    """The addresses of every kind of page: several of each where there are, so that few answers are asked for twice."""
    last = -(-facts["visible"] // ROWS)
    board, some = f"/benchmarks/{facts['board']}", range(10)
    ask = {
        "first page": [""],
        "page 50 and after": [f"page={50 + step}" for step in some],
        "last pages": [f"page={last - step}" for step in some],
        "worst first": ["sort=rank&order=up"],
        **_sorted(last),
        "search, rare": [f"q={word}" for word in ("zebrafinch", "Zebra", "finch", "ebraf", "Zebrafinc", "afinch")],
        "search, frequent": [f"q={word}" for word in ("resnet", "swin", "vit-l", "Dense", "res", "mobile")],
        "search, frequent, deep": [f"q={word}&page=150" for word in ("resnet", "swin", "vit-l", "Dense", "mobile")],
        "search, nothing": [f"q=quail{step}" for step in some],
        "search, a repository": [f"q=models-{step}" for step in range(100, 110)],
        "tier": ["tier=verified", "tier=self-reported"],
        "tier, deep": [f"tier=self-reported&page={last // 2 + step}" for step in some],
        "extra data": ["extra=yes", "extra=no"],
        "condition": [f"condition={_quoted(condition)}" for condition in facts["conditions"]],
        **_combined(facts, last),
        "all columns": ["&".join(f"c={name}" for name in _COLUMNS)],
        "published figures": ["tab=papers", "tab=papers&page=20", "tab=papers&sort=m1", "tab=papers&q=resnet"],
        "plot": ["tab=plot"],
        "plot by year": ["tab=plot&x=year"],
    }
    found = {name: [f"{board}?{query}" for query in queries] for name, queries in ask.items()}
    return found | _others(facts)


_COLUMNS = ("paper", "tier", "parameters", "macs", "speed", "extra", "code", "date")


def _sorted(last: int) -> dict[str, list[str]]:
    keys = {"model": "model", "second metric": "m1", "parameters": "parameters", "MACs": "macs", "date": "date"}
    found = {}
    for name, key in keys.items():
        found[f"by {name}"] = [f"sort={key}&order={order}" for order in ("up", "down")]
        found[f"by {name}, deep"] = [f"sort={key}&order={order}&page={last // 2}" for order in ("up", "down")]
    return found


def _combined(facts: Facts, last: int) -> dict[str, list[str]]:
    conditions = [_quoted(condition) for condition in facts["conditions"]]
    return {
        "by speed in a condition": [f"condition={one}&sort=speed&order=down" for one in conditions],
        "by speed in a condition, deep": [f"condition={one}&sort=speed&order=up&page=100" for one in conditions],
        "tier, extra data, by parameters": [f"tier={tier}&extra=no&sort=parameters" for tier in _TIERS],
        "condition, tier, by second metric": [f"condition={one}&tier=self-reported&sort=m1" for one in conditions],
        "search, tier, by model": [f"q={q}&tier=verified&sort=model&order=up" for q in ("resnet", "swin", "zebra")],
        "search, extra data, by MACs": [f"q={word}&extra=yes&sort=macs" for word in ("resnet", "swin", "zebra")],
        "extra data, by second metric, deep": [f"extra=no&sort=m1&page={last // 3 + step}" for step in range(5)],
    }


_TIERS = ("verified", "self-reported")


def _others(facts: Facts) -> dict[str, list[str]]:
    api, deep = f"/api/v1/benchmarks/{facts['board']}", facts["visible"] // 2
    return {
        "API: results": [f"{api}/results"],
        "API: results, deep": [f"{api}/results?offset={deep + step}" for step in range(10)],
        "API: results, search": [f"{api}/results?search={word}" for word in ("resnet", "zebra", "quail")],
        "API: reported": [f"{api}/reported"],
        "result": [f"/results/{key}" for key in facts["results"]],
        "repository": facts["repositories"],
        "build": facts["builds"],
        "user": facts["users"],
        "paper": facts["papers"],
        "front page": ["/"],
        "list of benchmarks": ["/benchmarks"],
    }


def _quoted(text: str) -> str:
    return text.replace(" ", "%20").replace("/", "%2F")


@dataclass(frozen=True)
class Site:
    """A site that answers at a port of loopback; `processes` are the roots of what works for it."""

    port: int
    facts: Facts
    processes: tuple[int, ...]

    def take(self, addresses: list[str], viewer: str, times: int) -> Taken:
        """Ask for the addresses in turn, after some that do not count."""
        taken = Taken()
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=120)
        for step in range(-WARMING, times):
            if step == 0:
                started = processor_seconds(self.processes)
            address = addresses[step % len(addresses)]
            begin = time.perf_counter()
            connection.request("GET", address, headers=self._headers(viewer, address))
            answer = connection.getresponse()
            body = answer.read()
            seconds = time.perf_counter() - begin
            if answer.status != http.HTTPStatus.OK:
                raise SystemExit(f"{address}: expected 200, found {answer.status}: {body[:300]!r}")
            if step >= 0:
                taken.seconds.append(seconds)
        taken.processor = processor_seconds(self.processes) - started
        connection.close()
        return taken

    def _headers(self, viewer: str, address: str) -> dict[str, str]:
        if viewer == SIGNED_OUT:
            return {}
        if address.startswith("/api/"):
            return {"Authorization": f"Bearer {self.facts['token']}"}
        return {"Cookie": f"sessionid={self.facts['session']}"}


@contextmanager
def filled_site(results: int, database: str) -> Iterator[Site]:
    """A site with so many results on one leaderboard, which is gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="sotabench-site-") as folder:
        own = {"SOTABENCH_DATA": folder, "SOTABENCH_SECRET_KEY": "for this site", "DATABASE_URL": database}
        command = [sys.executable, str(HERE / "site_data.py"), str(results)]
        made = subprocess.run(command, env=os.environ | own, check=True, stdout=subprocess.PIPE, text=True)
        with served(json.loads(made.stdout), os.environ | own) as site:
            yield site


@contextmanager
def served(facts: Facts, variables: Mapping[str, str]) -> Iterator[Site]:
    """`sotabench serve` over a site that is there."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    program = "import sys; from sotabench.site import main; sys.exit(main())"
    command = [sys.executable, "-c", program, "serve", "--port", str(port)]
    with tempfile.TemporaryFile() as log:
        server = subprocess.Popen(command, env=variables, stdout=log, stderr=log)
        try:
            _wait_for(port, server)
            yield Site(port, facts, (server.pid, *_database_processes(variables["DATABASE_URL"])))
        finally:
            server.send_signal(signal.SIGTERM)
            server.wait(30)


def _wait_for(port: int, server: "subprocess.Popen[bytes]") -> None:
    for _ in range(600):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        if server.poll() is not None:
            break
        time.sleep(0.1)
    raise SystemExit("expected `sotabench serve` to answer, found that it does not")


def _database_processes(url: str) -> tuple[int, ...]:
    """The process that all others of the PostgreSQL at this address come from."""
    if not url:
        return ()
    import psycopg  # noqa: PLC0415 - only where there is a PostgreSQL

    with psycopg.connect(url) as connection:
        found = connection.execute("SELECT pg_backend_pid()").fetchone()
        return (int(process_stat(found[0])[1]),) if found else ()


def ask_for_all(site: Site, times: int) -> dict[tuple[str, str], Taken]:
    """What every page took, for both viewers."""
    return {
        (page, viewer): site.take(addresses, viewer, times)
        for page, addresses in pages(site.facts).items()
        for viewer in (SIGNED_OUT, SIGNED_IN)
    }


def figures_of(taken: Mapping[str, Mapping[tuple[str, str], Taken]]) -> str:
    """The table: a line for each page and viewer, four columns for each database."""
    columns = ("median", "p95", "max", "processor")
    header = ["page", *(f"{database}: {column}" for database in taken for column in columns)]
    keys = next(iter(taken.values()))
    rows = [[", ".join(key), *(cell for found in taken.values() for cell in found[key].cells())] for key in keys]
    return table(header, rows)


def beyond(taken: Mapping[str, Mapping[tuple[str, str], Taken]]) -> str:
    """How many of the lines are within the limit."""
    parts = []
    for database, found in taken.items():
        over = [", ".join(key) for key, one in found.items() if one.at_95() > LIMIT]
        within = f"{database}: {len(found) - len(over)} of {len(found)} lines are within {LIMIT * 1000:.0f} ms at p95"
        parts.append(f"{within}; not: {'; '.join(over)}." if over else f"{within}.")
    return " ".join(parts)


def measure(asked: Asked) -> str:
    """The page with the table."""
    machine = Machine(asked.load_before, packages=("Django", "gunicorn", "psycopg"))
    taken = {}
    for wanted in ("SQLite", "PostgreSQL"):
        with ExitStack() as stack:
            if wanted == "PostgreSQL" and not has_postgres():
                print("no PostgreSQL here: measured with SQLite alone", file=sys.stderr)
                continue
            url = stack.enter_context(temporary_database()) if wanted == "PostgreSQL" else ""
            site = stack.enter_context(filled_site(asked.images, url))
            taken[site.facts["database"]] = ask_for_all(site, asked.repetitions)
            machine.add_own(processor_seconds(site.processes[1:]))
    notes = (
        f"{asked.images:,} current results on a leaderboard, 5 % more that are superseded, 10 % more on another one; "
        f"300 repositories, 12 of them private; {asked.repetitions} requests a line after {WARMING} that do not count, "
        "one at a time, over loopback to `sotabench serve`, in milliseconds. *p95*: 95th percentile. *processor*: mean "
        "processor time of the server and its database for a request. "
    )
    return machine.page("Pages of a site", figures_of(taken), notes + beyond(taken))


def has_postgres() -> bool:
    """Whether a PostgreSQL can be started."""
    return bool(shutil.which("initdb") or list(Path("/usr/lib/postgresql").glob("*/bin/initdb")))


if __name__ == "__main__":
    print(measure(asked_for(__doc__, images=(100_000, 2_000), repetitions=40, in_batches=False)))
