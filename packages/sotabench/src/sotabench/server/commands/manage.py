"""`sotabench manage`: Django's own commands over the site's folder."""

import argparse

from django.core.management import execute_from_command_line


def run(arguments: argparse.Namespace) -> int:
    """Run one; Django says itself what went wrong."""
    execute_from_command_line(["sotabench manage", *arguments.arguments])
    return 0
