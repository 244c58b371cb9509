"""`sotabench runners`: the processes that build, on this machine or on others."""

import argparse
from typing import Any

from django.core.management import call_command
from django.utils import timezone

from benchrecord import printable
from sotabench.server.builds.leases import create_runner
from sotabench.server.builds.models import Runner
from sotabench.server.errors import Invalid, NotFound
from sotabench.server.keeper import NAME as KEEPERS


def run(arguments: argparse.Namespace) -> int:
    """Do what is asked."""
    call_command("migrate", interactive=False, verbosity=0)
    if arguments.action == "list":
        return _list()
    if not arguments.name:
        raise NotFound(f"expected the name of a runner: sotabench runners {arguments.action} NAME")
    if arguments.action == "add":
        return _add(arguments.name)
    changes: dict[str, dict[str, Any]] = {
        "drain": {"is_drained": True},
        "resume": {"is_drained": False},
        "revoke": {"revoked_at": timezone.now()},
    }
    if not Runner.objects.filter(name=arguments.name).update(**changes[arguments.action]):
        raise NotFound(f"expected a runner, found none named {printable(arguments.name, 100)!r}")
    return 0


def _list() -> int:
    for runner in Runner.objects.all():
        seen = f"last seen {runner.seen_at:%Y-%m-%d %H:%M:%S} UTC" if runner.seen_at else "never seen"
        print(f"{printable(runner.name)}  {_state(runner)}  {seen}")
    return 0


def _state(runner: Runner) -> str:
    if runner.revoked_at:
        return "revoked"
    if runner.trouble:
        return f"out of service: {printable(runner.trouble)}"
    return ("drained" if runner.is_drained else "in service") + (", without a sandbox" if runner.is_trusting else "")


def _add(name: str) -> int:
    longest = Runner._meta.get_field("name").max_length or 0  # noqa: SLF001 - Django's public name for it; SQLite would take more
    if len(name) > longest or not name.isprintable():
        raise Invalid(f"expected a name of 1 to {longest} printable characters, found {printable(name, 40)!r}")
    if name == KEEPERS:
        raise Invalid(f"expected a name of its own, found {name!r}: so `sotabench serve` calls the runner beside it")
    _, token = create_runner(name)
    print(f"The token of {printable(name, 100)}, shown this once; an earlier one ends:\n\n  {token}\n")
    print("On the runner's machine:\n\n  SOTABENCH_RUNNER_TOKEN=... sotabench runner --url https://this-site")
    return 0
