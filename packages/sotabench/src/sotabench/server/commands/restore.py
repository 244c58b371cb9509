"""`sotabench restore`: an archive becomes a site."""

import argparse

from sotabench.server.archive import restore_archive


def run(arguments: argparse.Namespace) -> int:
    """Read the archive into this empty site."""
    restore_archive(arguments.file)
    print("restored; `sotabench serve` runs it")
    return 0
