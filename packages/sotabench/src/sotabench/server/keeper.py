"""The runner of a site on one machine: a process beside the server, started again when it ends before its time.

It lives as long as the server's process: it reads its standard input, which ends with that process, however that ends.
"""

import logging
import os
import subprocess
import sys
import threading
from collections.abc import Sequence
from time import monotonic

from django.conf import settings
from django.db import DatabaseError, connections

from sotabench.server.builds.leases import create_runner

NAME = "this machine"
_LOG = logging.getLogger("sotabench.keeper")
_SHORTEST_PAUSE, _LONGEST_PAUSE, _LONG_LIFE = 1.0, 60.0, 300.0


class RunnerKeeper(threading.Thread):
    """Keeps one runner alive with the options that `sotabench runner` takes."""

    def __init__(self, url: str, options: Sequence[str]) -> None:
        super().__init__(name="keeper", daemon=True)
        self._command = [sys.executable, "-P", "-m", "sotabench", "runner", "--url", url, "--with-parent", *options]

    def run(self) -> None:
        """Start it, wait, start it again; ever later while it ends soon."""
        pause = _SHORTEST_PAUSE
        while True:
            began = monotonic()
            ended = self._once()
            pause = _SHORTEST_PAUSE if monotonic() - began > _LONG_LIFE else min(2 * pause, _LONGEST_PAUSE)
            _LOG.error("the runner ended: %s; started again in %.0f s", ended, pause)
            threading.Event().wait(pause)

    def _once(self) -> str:
        """How it ended, or why it did not begin: the database may restart, the disk may be full."""
        try:
            return f"exit code {self._lived()}"
        except (DatabaseError, OSError) as error:
            return str(error)
        finally:
            connections.close_all()

    def _lived(self) -> int:
        _, token = create_runner(NAME)
        connections.close_all()
        here = {"SOTABENCH_RUNNER_FOLDER": str(settings.DATA / "runner"), "SOTABENCH_RUNNER_DATA": str(settings.DATA)}
        told = {"SOTABENCH_RUNNER_TOKEN": token, "SOTABENCH_LOG": settings.LOG_FORMAT}
        environment = {**here, **os.environ, **told}
        with subprocess.Popen(self._command, stdin=subprocess.PIPE, env=environment) as process:  # noqa: S603 - ourselves
            return process.wait()
