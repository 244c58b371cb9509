"""`torchbench compare A B`: two stored models on the same images."""

import argparse
import json
import sys
from pathlib import Path

from torchbench.reading.stored import read_stored
from torchbench.reading.versus import lines_of, versus

RECORD = "a file of records: results.json; where it holds several, results.json:2 or results.json:ModelName"
DATA_ROOT = "folder of the data, which tells the labels; not needed for images with ImageNet's official names"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Say what the command takes."""
    parser.description = "Compare two models on the same images: who was right where, and whether it could be chance."
    parser.add_argument("first", metavar="A", help=RECORD)
    parser.add_argument("second", metavar="B", help="the other one, in the same way")
    parser.add_argument("--data-root", type=Path, metavar="DIR", help=DATA_ROOT)
    parser.add_argument("--top", type=int, choices=(1, 5), default=1, help="best classes that count as right (1)")
    parser.add_argument("--json", action="store_true", help="print one JSON object, for programs")
    parser.set_defaults(command=compare)


def compare(arguments: argparse.Namespace) -> None:
    """Print the comparison."""
    first, second = read_stored(arguments.first), read_stored(arguments.second)
    pair = versus(first, second, arguments.data_root, top=arguments.top)
    text = json.dumps(pair.to_dict(), indent=2) if arguments.json else "\n".join(lines_of(pair))
    sys.stdout.write(f"{text}\n")
