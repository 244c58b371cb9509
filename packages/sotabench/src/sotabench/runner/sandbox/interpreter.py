"""Which folders a Python interpreter needs, so that it starts inside at the same path as outside."""

import functools
import json
import os
import subprocess
import sys
from pathlib import Path

from sotabench.errors import Broken
from sotabench.runner.sandbox.plan import Mount

_ASK = "import json, sys; print(json.dumps([sys.prefix, sys.exec_prefix, sys.base_prefix, sys.base_exec_prefix]))"
_LINKS = 40


def own_interpreter() -> Path:
    """The interpreter that this program runs on, outside any virtual environment."""
    return Path(getattr(sys, "_base_executable", sys.executable)).resolve()


@functools.cache
def interpreter_mounts(python: Path) -> tuple[Mount, ...]:
    """The mounts, all read-only, with which `python` starts inside under its own path.

    They hold its prefix, the prefix of the interpreter that its virtual environment is made of, and the folders that a
    chain of links from one to the other leads through; `/usr` is there in any case. Folders above them need not be open
    to the sandbox's uid when the runner is root. Raises Broken when it is no Python.
    """
    places = [Path(place) for place in _ask(python)]
    places += [hop.parent.parent for hop in _hops(python)]
    wanted = {place: place.resolve() for place in places if not place.is_relative_to("/usr")}
    if Path("/") in wanted or Path("/") in wanted.values():
        raise Broken(f"expected {python} in a folder of its own, found its prefix to be the whole machine")
    inner = {place for place in wanted if any(other in place.parents for other in wanted)}
    return tuple(Mount(wanted[place], str(place)) for place in sorted(wanted) if place not in inner)


def _ask(python: Path) -> list[str]:
    try:
        answer = subprocess.run(  # noqa: S603 - the operator's own interpreter
            [python, "-I", "-S", "-c", _ASK], capture_output=True, text=True, check=True, timeout=60
        )
        return list(json.loads(answer.stdout))
    except (OSError, subprocess.SubprocessError, ValueError) as error:
        why = getattr(error, "strerror", None) or ("another program" if isinstance(error, ValueError) else error)
        raise Broken(f"expected a Python interpreter at {python}, found: {why}; see SOTABENCH_BASE_PYTHON") from error


def _hops(python: Path) -> list[Path]:
    """The paths that the links lead through, one link at a time, to the file itself."""
    hops = [python.absolute()]
    for _ in range(_LINKS):
        if not hops[-1].is_symlink():
            return hops
        hops.append(Path(os.path.normpath(hops[-1].parent / hops[-1].readlink())))
    raise Broken(f"expected {python} to lead to a file, found a circle of links")
