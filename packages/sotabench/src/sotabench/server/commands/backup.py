"""`sotabench backup`: all of a site in one archive."""

import argparse

from sotabench.server.archive import write_archive


def run(arguments: argparse.Namespace) -> int:
    """Write the archive."""
    write_archive(arguments.file)
    print(f"{arguments.file}: {arguments.file.stat().st_size} bytes; it holds the secret key, so keep it closed")
    return 0
