"""`sotabench doctor`: run the real sandbox on each slot, and say what to do where something is wrong."""

import argparse
import os
import sys
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path

from sotabench.errors import Broken
from sotabench.runner.base import find_base
from sotabench.runner.doctor import Check, Machine, examine
from sotabench.runner.egress import Rules, index_rules
from sotabench.runner.settings import RunnerSettings
from sotabench.runner.shop import check_hosts, limits_of, slots_of


def run(arguments: argparse.Namespace) -> int:  # noqa: ARG001 - all commands are called so
    """Examine every slot; 0 when all is well."""
    settings = RunnerSettings.from_environment()
    check_hosts(settings)
    is_well = True
    with tempfile.TemporaryDirectory(prefix="sotabench-") as store:
        machine = machine_of(settings, os.environ, Path(store))
        for slot in slots_of(settings):
            print(f"slot {slot.number}")
            checks = examine(slot, machine)
            is_well = show(checks) and is_well
    if not is_well:
        print("a slot whose sandbox is wrong gets no builds; `sotabench runner --trust-repositories` does without one")
    return 0 if is_well else 1


def show(checks: Iterable[Check]) -> bool:
    """Print the checks; whether all are well."""
    is_well = True
    for check in checks:
        print(f"  {'ok   ' if check.is_well else 'WRONG'}  {check.name}: {check.found}")
        is_well = is_well and check.is_well
        for line in check.mend.splitlines():
            print(f"         {line}")
    return is_well


def machine_of(settings: RunnerSettings, environment: Mapping[str, str], store: Path) -> Machine:
    """What the settings say of this machine; `store` is for what builds see of torchbench."""
    python = settings.base_python or Path(sys.executable)
    base, trouble = None, ""
    try:
        base = find_base(store, python)
    except Broken as error:
        trouble = str(error)
    index = index_rules(environment, home=Path.home(), prefix=Path(sys.prefix))
    internal = Rules.of(internal=settings.internal_hosts)
    return Machine(
        folder=settings.folder,
        limits=limits_of(settings, settings.seconds),
        slots=settings.slots,
        python=python,
        mounts=base.mounts if base else (),
        trouble=trouble,
        data=settings.data,
        devices=settings.devices,
        rules=index | internal | Rules.of(hosts=settings.weights_hosts),
    )
