"""The folder of our own files that every sandbox sees, read-only."""

from pathlib import Path

from sotabench.runner.sandbox import Mount
from sotabench.runner.workplace import INSIDE

INSIDE_PACKAGE = f"{INSIDE}/sotabench_inside"


def inside_mount() -> Mount:
    """It, seen as a package that a build's interpreters import."""
    return Mount(Path(__file__).with_name("inside"), INSIDE_PACKAGE)
