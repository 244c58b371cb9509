"""`sotabench sweep`: what nobody comes back for is removed now; a running site does so by itself."""

import argparse
import sys

from django.core.management import call_command

from sotabench.server.sweeping import sweep


def run(arguments: argparse.Namespace) -> int:  # noqa: ARG001 - all commands are called so
    """Run every sweep once and say what each removed; 1 when one failed."""
    call_command("migrate", interactive=False, verbosity=0)
    swept = sweep()
    for what, count in swept.items():
        print(
            f"{what}: {'failed, see above' if count is None else count}",
            file=sys.stderr if count is None else sys.stdout,
        )
    return 1 if None in swept.values() else 0
