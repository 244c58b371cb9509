"""`torchbench report RECORD`: a page about one stored model."""

import argparse
import sys
from pathlib import Path

from torchbench.commands.compare import DATA_ROOT, RECORD
from torchbench.page.write import page_of, write_page
from torchbench.reading.stored import read_stored


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Say what the command takes."""
    parser.description = "Write one HTML file about a model: results, plots, and its worst mistakes as pictures."
    parser.add_argument("record", metavar="RECORD", help=RECORD)
    parser.add_argument("-o", "--output", type=Path, default=Path("report.html"), help="the page (report.html)")
    parser.add_argument("--data-root", type=Path, metavar="DIR", help=f"{DATA_ROOT}; shows mistakes as pictures")
    parser.set_defaults(command=report)


def report(arguments: argparse.Namespace) -> None:
    """Write the page and say where it is."""
    size = write_page(arguments.output, page_of(read_stored(arguments.record), arguments.data_root))
    sys.stdout.write(f"report: {arguments.output} ({size / 1000:,.0f} kB)\n")
