"""`sotabench datasets`: the images that builds are evaluated on."""

import argparse
import sys

from django.core.management import call_command

from sotabench.server.benchmarks.copies import add_copy, prepared_of, remove_copy, tree_of
from sotabench.server.benchmarks.models import DataCopy
from sotabench.server.benchmarks.prepared import COMMON, Geometry
from sotabench.server.benchmarks.services import add_known_benchmarks
from sotabench.server.benchmarks.trees import gigabytes
from sotabench.server.errors import Invalid
from sotabench.server.papers.importing import import_shipped_once


def run(arguments: argparse.Namespace) -> int:
    """Add, list or remove."""
    call_command("migrate", interactive=False, verbosity=0)
    add_known_benchmarks()
    import_shipped_once()
    if arguments.action == "list":
        for copy in DataCopy.objects.select_related("benchmark"):
            print(_line(copy))
        return 0
    if not arguments.name or (arguments.action == "add" and not arguments.path):
        raise Invalid("expected `sotabench datasets add imagenet --path FOLDER`, or `remove imagenet`, found less")
    if arguments.action == "remove":
        remove_copy(arguments.name)
        print("removed; its benchmark and results stay")
        return 0
    geometries = (*COMMON, *(Geometry.parse(text) for text in arguments.geometry))
    copy = add_copy(arguments.name, arguments.path, geometries=tuple(dict.fromkeys(geometries)), tell=_tell)
    print(_line(copy))
    return 0


def _line(copy: DataCopy) -> str:
    prepared = sum(file.stat().st_size for file in prepared_of(copy).glob("*"))
    facts = f"{copy.samples:,} images\t{copy.fingerprint[:12]}\tprepared {gigabytes(prepared)}"
    return f"{copy.dataset_name.lower()}\t{copy.benchmark}\t{facts}\t{tree_of(copy)}"


def _tell(line: str) -> None:
    print(line, file=sys.stderr, flush=True)
