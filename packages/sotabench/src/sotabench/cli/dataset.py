"""`sb dataset`: what a repository brings along below its `.data/`."""

from pathlib import Path

import click

from sotabench.cli.command import Context, asks_site
from sotabench.client import Site
from sotabench.uploading import PART_SIZE, upload_dataset

COLUMNS = ("path", "size", "sha256", "created_at")


@click.group()
def dataset() -> None:
    """Data sets that a repository brings along, below its .data/."""


@dataset.command("list")
@click.argument("repository")
@asks_site
def dataset_list(context: Context, site: Site, repository: str) -> None:
    """List the data sets of REPOSITORY."""
    context.show_rows(list(site.pages(_datasets(site, repository))), COLUMNS)


@dataset.command("get")
@click.argument("repository")
@click.argument("path")
@asks_site
def dataset_get(context: Context, site: Site, repository: str, path: str) -> None:
    """Show the data set at PATH of REPOSITORY."""
    for found in site.pages(_datasets(site, repository), path=path):
        context.show(found)


@dataset.command("upload")
@click.argument("repository")
@click.argument("file", type=click.Path(path_type=Path))
@click.argument("path", required=False)
@click.option(
    "--part-size",
    default=PART_SIZE,
    show_default=True,
    type=click.IntRange(min=1),
    metavar="BYTES",
    help="What is sent at once, and again when a part is interrupted.",
)
@asks_site
def dataset_upload(context: Context, site: Site, repository: str, file: Path, path: str | None, part_size: int) -> None:
    """Upload FILE to PATH (by default its own name) below the .data/ of REPOSITORY.

    Interrupted and begun again, it sends only what the site does not have yet.
    """

    def progress(there: int, whole: int) -> None:
        click.echo(f"{there} of {whole} bytes", err=True)

    context.show(upload_dataset(site, repository, file, path or file.name, part_size=part_size, progress=progress))


@dataset.command("delete")
@click.argument("repository")
@click.argument("path")
@asks_site
def dataset_delete(context: Context, site: Site, repository: str, path: str) -> None:
    """Delete the data set at PATH of REPOSITORY."""
    context.show(site.delete(_datasets(site, repository), {"path": path}))


def _datasets(site: Site, repository: str) -> str:
    return f"v1/repositories/{site.repository(repository)['id']}/datasets"
