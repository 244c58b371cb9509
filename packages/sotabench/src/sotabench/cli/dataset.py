"""`sb dataset`: what a repository brings along below its `.data/`."""

from pathlib import Path

import click

from sotabench.cli.command import Context, asks_site, owner_and_name
from sotabench.client import Site
from sotabench.uploading import PART_SIZE, upload_dataset

COLUMNS = ("dataset", "size", "sha256", "created")


@click.group()
def dataset() -> None:
    """Data sets that a repository brings along, below its .data/."""


@dataset.command("list")
@click.argument("repository")
@asks_site
def dataset_list(context: Context, site: Site, repository: str) -> None:
    """List the data sets of REPOSITORY."""
    context.show_rows(site.get(_datasets(repository)), COLUMNS)


@dataset.command("get")
@click.argument("repository")
@click.argument("path")
@asks_site
def dataset_get(context: Context, site: Site, repository: str, path: str) -> None:
    """Show the data set at PATH of REPOSITORY."""
    context.show(site.get(_datasets(repository), dataset=path))


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
    context.show(site.delete(_datasets(repository), {"dataset": path}))


def _datasets(repository: str) -> str:
    return f"v0/repositories/{owner_and_name(repository)}/datasets/"
