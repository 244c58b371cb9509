"""`torchbench compare`, `torchbench report`, `torchbench cache`, `torchbench data`."""

import argparse
import sys
from collections.abc import Sequence

from benchrecord import BenchRecordError
from torchbench.commands import cache, compare, data, report
from torchbench.errors import TorchbenchError


def main(words: Sequence[str] | None = None) -> int:
    """Do what the command line says; 0 when it was done, 1 with the error alone on stderr when it could not be."""
    arguments = _parser().parse_args(words)
    try:
        arguments.command(arguments)
    except (TorchbenchError, BenchRecordError) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="torchbench", description="Read stored records again; keep prepared images.")
    commands = parser.add_subparsers(required=True, metavar="compare|report|cache|data")
    compare.add_arguments(commands.add_parser("compare", help="compare two models on the same images"))
    report.add_arguments(commands.add_parser("report", help="write a page about one model"))
    cache.add_commands(commands.add_parser("cache", help="list, write or remove prepared images"))
    data.add_commands(commands.add_parser("data", help="say which images a folder holds"))
    return parser


if __name__ == "__main__":
    sys.exit(main())
