"""`sotabench benchmarks`: what the site compares on."""

import argparse

from django.core.management import call_command

from sotabench.server.benchmarks.labels import set_labels
from sotabench.server.benchmarks.models import Benchmark
from sotabench.server.benchmarks.queries import benchmark_by_slug
from sotabench.server.benchmarks.services import add_known_benchmarks
from sotabench.server.errors import Invalid
from sotabench.server.papers.importing import import_shipped_once


def run(arguments: argparse.Namespace) -> int:
    """List them, or keep the labels of one."""
    call_command("migrate", interactive=False, verbosity=0)
    add_known_benchmarks()
    import_shipped_once()
    if arguments.action == "list":
        for benchmark in Benchmark.objects.all():
            print(f"{benchmark.slug}\t{benchmark}\t{benchmark.size or ''}\t{'labels' if benchmark.labels else ''}")
        return 0
    if not arguments.slug or not arguments.file:
        raise Invalid("expected `sotabench benchmarks labels SLUG FILE`, found less")
    benchmark = benchmark_by_slug(arguments.slug)
    try:
        content = arguments.file.read_bytes()
    except OSError as error:
        raise Invalid(f"expected a CSV file at {arguments.file}, found: {error.strerror}") from error
    count = set_labels(benchmark, content)
    print(f"{count} labels for {arguments.slug}")
    return 0
