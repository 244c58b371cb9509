"""`sotabench manage`: Django's own commands over the site's folder."""

import argparse

from django.core.management import execute_from_command_line

from sotabench.errors import Misconfigured


def run(arguments: argparse.Namespace) -> int:
    """Run one; Django says itself what went wrong."""
    try:
        execute_from_command_line(["sotabench manage", *arguments.arguments])
    except EOFError as error:
        raise Misconfigured(
            "expected an answer, found the end of what there is to read; run it in a terminal"
        ) from error
    return 0
