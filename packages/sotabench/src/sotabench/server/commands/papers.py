"""`sotabench papers import`: published results come in."""

import argparse
import sys

from django.core.management import call_command

from sotabench.server.benchmarks.services import add_known_benchmarks, add_reported_benchmarks
from sotabench.server.papers.importing import import_files, import_shipped_once, shipped_files


def run(arguments: argparse.Namespace) -> int:
    """Bring the files in and say what became of the rows; 1 when one was bad, which keeps no good one out."""
    call_command("migrate", interactive=False, verbosity=0)
    add_known_benchmarks()
    if arguments.files:
        import_shipped_once()
    report = import_files(arguments.files or shipped_files())
    benchmarks = add_reported_benchmarks()
    for bad in report.bad:
        print(bad, file=sys.stderr)
    print(
        f"{report.added} added, {report.changed} changed, {report.unchanged} known already, {len(report.bad)} bad; "
        f"{benchmarks} new benchmarks"
    )
    return 1 if report.bad else 0
