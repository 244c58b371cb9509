"""Run a command with DATABASE_URL set to a PostgreSQL that exists only meanwhile.

    python tools/with_postgres.py python -m pytest packages/sotabench

A cluster in a temporary folder, on a free port of loopback, with a password of its own; it is faster than a real one
because it never syncs to the disk. The server's programs are Debian's (`apt-get install postgresql`) or those on PATH.
PostgreSQL refuses to run as root: started by root, it runs as the user `postgres`.
"""

import os
import secrets
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

USER = "sotabench"
_FAST = "-c fsync=off -c synchronous_commit=off -c full_page_writes=off"


def programs() -> Path:
    """The folder of `initdb` and `pg_ctl`."""
    debian = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[4]))
    found = str(debian[-1]) if debian else shutil.which("initdb")
    if found is None:
        sys.exit("expected PostgreSQL's initdb, found none; install it: apt-get install postgresql")
    return Path(found).parent


@contextmanager
def temporary_database() -> Iterator[str]:
    """The address of an empty database in a cluster that is gone afterwards."""
    who = {"user": "postgres", "group": "postgres", "extra_groups": []} if os.geteuid() == 0 else {}
    folder = Path(tempfile.mkdtemp(prefix="postgres-"))
    try:
        if who:
            shutil.chown(folder, "postgres", "postgres")
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        password = secrets.token_urlsafe(24)
        run = _runner(folder, who)
        secret = folder / "password"
        secret.write_text(password)
        if who:
            shutil.chown(secret, "postgres", "postgres")
        run(
            "initdb",
            "-D",
            "cluster",
            "-U",
            USER,
            "-A",
            "scram-sha-256",
            "--pwfile",
            "password",
            "-E",
            "UTF8",
            "--no-sync",
        )
        options = f"-c listen_addresses=127.0.0.1 -c unix_socket_directories='' -p {port} {_FAST}"
        run("pg_ctl", "-D", "cluster", "-l", "log", "-w", "-o", options, "start")
        try:
            yield f"postgresql://{USER}:{password}@127.0.0.1:{port}/postgres"
        finally:
            run("pg_ctl", "-D", "cluster", "-m", "immediate", "-w", "stop")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _runner(folder: Path, who: dict[str, object]):  # noqa: ANN202 - a closure
    home = programs()

    def run(program: str, *arguments: str) -> None:
        done = subprocess.run(
            [home / program, *arguments], cwd=folder, check=False, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, text=True, env={"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8"}, **who,
        )  # fmt: skip
        if done.returncode:
            log = folder / "log"
            sys.exit(f"{program} failed:\n{done.stdout}\n{log.read_text() if log.exists() else ''}")

    return run


def main() -> int:
    """Run the command of the arguments; its exit code."""
    with temporary_database() as url:
        return subprocess.run(sys.argv[1:], check=False, env=os.environ | {"DATABASE_URL": url}).returncode


if __name__ == "__main__":
    sys.exit(main())
