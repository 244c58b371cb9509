"""The folder of our own files that every sandbox sees, read-only."""

from pathlib import Path

from sotabench.runner.sandbox import Mount
from sotabench.runner.workplace import INSIDE


def inside_mount() -> Mount:
    """It, seen as INSIDE."""
    return Mount(Path(__file__).with_name("inside"), INSIDE)
