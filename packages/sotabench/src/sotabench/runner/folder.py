"""A runner's folder: one runner at a time works in it, and what a killed one left is removed by the next."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event

from sotabench.runner.locks import taken
from sotabench.runner.sandbox import remove

_LOG = logging.getLogger("sotabench.runner")
SLOTS = "slots"
"""The folder of attempts: a folder for each slot, there while it has a build."""


@contextmanager
def own_folder(folder: Path, told: Event) -> Iterator[bool]:
    """Work in the folder alone: waits while another runner has it, as one does that is still ending.

    Yields whether it is ours: False when `told` to stop meanwhile. The lock ends with the process, however that ends.
    """
    folder.mkdir(mode=0o711, parents=True, exist_ok=True)
    with (folder / "runner.lock").open("a") as file:
        is_ours = taken(
            file, told, waits=lambda: _LOG.warning("another runner works in %s; waits for its end", file.name)
        )
        for left in (folder / SLOTS).glob("*") if is_ours else ():
            _LOG.warning("removes %s, which a killed runner left", left)
            remove(left)
        yield is_ours
