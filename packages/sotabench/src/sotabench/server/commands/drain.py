"""`sotabench drain`: before an update, let builds end and begin none."""

import argparse

from django.core.management import call_command

from sotabench.server.repositories.services import drain, is_draining


def run(arguments: argparse.Namespace) -> int:
    """Turn it on or off, and say how it stands."""
    call_command("migrate", interactive=False, verbosity=0)
    if arguments.state != "show":
        drain(on=arguments.state == "on", reason=arguments.reason)
    print("nothing new is built" if is_draining() else "builds begin as they come")
    return 0
