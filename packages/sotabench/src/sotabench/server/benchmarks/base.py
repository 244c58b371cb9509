"""torchbench, asked in a process of its own: this site knows no torch."""

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from django.conf import settings

from sotabench.errors import Unusable
from sotabench.server.benchmarks.decoys import Image

_NOT_ITS_BUSINESS = ("SOTABENCH_", "DJANGO_")


def base_python() -> str:
    """The interpreter that has torchbench. Raises Unusable, saying how to get one."""
    if settings.BASE_PYTHON:
        return str(settings.BASE_PYTHON)
    if importlib.util.find_spec("torchbench") is not None:
        return sys.executable
    raise Unusable(
        "expected torchbench, which reads data sets, found none beside this site: `pip install torchbench` here, or "
        "set SOTABENCH_BASE_PYTHON to the interpreter of an environment that has it"
    )


def torchbench(*words: str | Path) -> bytes:
    """What `torchbench` prints for this command line; what it says of its progress goes to the terminal.

    What it learnt of files is remembered in the site's own folder. An interrupt is this process's alone, which ends
    that one. Raises Unusable when it fails.
    """
    environment = {name: value for name, value in os.environ.items() if not name.startswith(_NOT_ITS_BUSINESS)}
    environment["XDG_CACHE_HOME"] = str(settings.DATA / "cache")
    command = [base_python(), "-m", "torchbench", *map(str, words)]
    try:
        run = subprocess.run(  # noqa: S603 - our own words
            command, stdout=subprocess.PIPE, env=environment, check=False, start_new_session=True
        )
    except OSError as error:
        raise Unusable(f"expected an interpreter at {command[0]}, found: {error}; see SOTABENCH_BASE_PYTHON") from error
    if run.returncode:
        raise Unusable(f"expected torchbench to do `{words[0]} {words[1]}`, found that it failed; it says why above")
    return run.stdout


class Described:
    """A data set as torchbench found it, every file whole."""

    def __init__(self, folder: Path) -> None:
        """Ask torchbench about the folder. Raises Unusable."""
        facts: dict[str, Any] = json.loads(torchbench("data", "describe", "--json", folder.absolute()))
        if facts.get("format") != 1:
            raise Unusable("expected a description that this version knows, found another; upgrade torchbench and this")
        self.name: str = facts["name"]
        self.version: str = facts["version"]
        self.fingerprint: str = facts["fingerprint"]
        self.is_complete: bool = facts["complete"]
        self.folder = Path(facts["folder"])
        self.classes: list[str] = facts["classes"]
        self.images = [Image(each["id"], each["file"], each["class"], each["sha256"]) for each in facts["images"]]
