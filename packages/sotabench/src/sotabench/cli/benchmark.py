"""`sb benchmark`: what the site compares on."""

import click

from sotabench.cli.command import Context, asks_site, plain
from sotabench.client import Site

COLUMNS = ("slug", "task", "dataset", "size", "metrics")


@click.group()
def benchmark() -> None:
    """Benchmarks that the site knows."""


@benchmark.command("list")
@click.option("-s", "--search", default="", help="Those with this text in task or data set.")
@asks_site
def benchmark_list(context: Context, site: Site, search: str) -> None:
    """List the benchmarks."""
    context.show_rows(list(site.pages("v1/benchmarks", search=search)), COLUMNS)


@benchmark.command("get")
@click.argument("slug")
@asks_site
def benchmark_get(context: Context, site: Site, slug: str) -> None:
    """Show the benchmark SLUG, such as image-classification-on-imagenet."""
    context.show(site.get(f"v1/benchmarks/{plain(slug)}"))
