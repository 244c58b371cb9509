"""`sotabench serve`: from an empty folder to a site that answers."""

import argparse
import gc
import socket
import sys
from functools import partial
from importlib.util import find_spec
from typing import Any

from django.conf import settings
from django.core.management import call_command
from django.core.wsgi import get_wsgi_application
from django.db import connections, transaction
from django.urls import get_resolver
from gunicorn.app.base import BaseApplication

from sotabench.errors import Misconfigured
from sotabench.server.accounts.services import create_first_owner
from sotabench.server.benchmarks.models import Benchmark
from sotabench.server.benchmarks.services import add_known_benchmarks
from sotabench.server.bodies import OneCharset
from sotabench.server.folder import served_alone
from sotabench.server.keeper import RunnerKeeper
from sotabench.server.papers.importing import import_shipped_once
from sotabench.server.sweeping import ERRANDS, Sweeper

RUNNERS_PACKAGES = ("packaging", "pyseccomp", "uv")
_PATIENCE = 15.0  # seconds for one that is told to stop: its requests have ten


def run(arguments: argparse.Namespace) -> int:
    """Make what is missing, then serve until stopped. Raises Misconfigured."""
    if settings.HTTPS and not settings.BEHIND_PROXY:
        raise Misconfigured(
            "expected SOTABENCH_BEHIND_PROXY=true beside SOTABENCH_HTTPS=true: this program speaks plain HTTP, "
            "so a proxy in front has to end TLS, and would be redirected for ever"
        )
    with served_alone(settings.DATA, patience=_PATIENCE):
        check_place(arguments.host, arguments.port)
        prepare_site()
        if password := create_first_owner(arguments.owner):
            print(f"The site's owner is {arguments.owner}; the password, shown this once: {password}")
        print(f"Serving {settings.SITE_NAME} at http://{_bracketed(arguments.host)}:{arguments.port}/ (Ctrl-C stops)")
        if arguments.runner and not all(map(find_spec, RUNNERS_PACKAGES)):
            print('Pushes are not built on this machine: pip install "sotabench[runner]" beside torchbench')
            arguments.runner = False
        sys.stdout.flush()
        connections.close_all()  # a connection must not be shared with the worker process
        Server(arguments).run()
    return 0


def check_place(host: str, port: int) -> None:
    """Raise Misconfigured where nobody can listen, before anything is made or said: gunicorn tries for long."""
    if not host:  # to gunicorn, every address
        raise Misconfigured("expected --host to be an address of this machine, found none; 0.0.0.0 is all of them")
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind, protocol) as tried:
            tried.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            tried.bind(address)
    except OSError as error:
        raise Misconfigured(
            f"expected to listen at {host!r}, port {port}, found: {error.strerror}; "
            "give --host an address of this machine, and --port one that nobody else has"
        ) from error


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def prepare_site() -> None:
    """Bring the database to this version, collect static files, and give a fresh site its benchmarks and papers."""
    call_command("migrate", interactive=False, verbosity=0)
    call_command("collectstatic", interactive=False, verbosity=0)
    with transaction.atomic():
        if not Benchmark.objects.exists():
            add_known_benchmarks()
        import_shipped_once()


class Server(BaseApplication):  # type: ignore[misc]  # gunicorn has no types
    """gunicorn with one process of several threads.

    One process, because it is then the only writer of SQLite and its counters are all that there is to count; gunicorn,
    because it is kept up, restarts a process that died and lets requests end before it stops.
    """

    def __init__(self, arguments: argparse.Namespace) -> None:
        self._options: dict[str, Any] = {
            "bind": f"{_bracketed(arguments.host)}:{arguments.port}",
            "workers": 1,
            "threads": arguments.threads,
            "worker_class": "gthread",
            "timeout": 60,
            "graceful_timeout": 10,
            "keepalive": 5,
            "proc_name": "sotabench",
            "control_socket_disable": True,
            # What a proxy says is believed by the site's own setting alone, and no header moves a path.
            "forwarded_allow_ips": "",
            "forwarder_headers": "",
            "post_worker_init": partial(_begin_beside, arguments),
            "logconfig_dict": _logging(),
        }
        super().__init__()

    def load_config(self) -> None:
        """Gunicorn's settings; no file and no environment variable changes them."""
        for name, value in self._options.items():
            self.cfg.set(name, value)

    def load(self) -> Any:
        """The site, its pages loaded, so that the first visitor does not wait for them."""
        application = OneCharset(get_wsgi_application())
        get_resolver().url_patterns  # noqa: B018 - reading them imports them
        return application


def _begin_beside(arguments: argparse.Namespace, worker: Any) -> None:  # noqa: ARG001 - gunicorn's signature
    """What works beside the server lives in the worker: whenever gunicorn makes a new one, it has new ones too."""
    gc.collect()
    gc.freeze()  # what is loaded stays: looking through it for garbage took a tenth of a second of one page in twenty
    Sweeper().start()
    for errand in ERRANDS:
        Sweeper([errand]).start()
    if arguments.runner:
        name = "127.0.0.1" if arguments.host in {"0.0.0.0", "::"} else arguments.host  # noqa: S104 - compared, not bound
        options = ["--trust-repositories"] if arguments.trust_repositories else []
        RunnerKeeper(f"http://{_bracketed(name)}:{arguments.port}", options).start()


def _logging() -> dict[str, Any]:
    """The site's own logging, gunicorn's lines among it; requests are logged by the site itself."""
    own = {"gunicorn.error": {"propagate": True, "level": "INFO"}, "gunicorn.access": {"propagate": False}}
    return {**settings.LOGGING, "loggers": {**settings.LOGGING["loggers"], **own}}
