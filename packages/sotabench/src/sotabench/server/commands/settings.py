"""`sotabench settings`: the table at the top of the settings."""

import argparse

from sotabench.server import settings


def run(arguments: argparse.Namespace) -> int:  # noqa: ARG001 - all commands are called so
    """Print it."""
    print(settings.__doc__)
    return 0
