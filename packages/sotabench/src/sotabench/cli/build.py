"""`sb build`: what was made of a repository's commits."""

import click

from sotabench.cli.command import Context, asks_site, owner_and_name
from sotabench.client import Site

COLUMNS = ("number", "status", "commit", "branch", "origin", "created_at")


@click.group()
def build() -> None:
    """Builds: what was made of a repository's commits."""


@build.command("start")
@click.argument("repository")
@asks_site
def build_start(context: Context, site: Site, repository: str) -> None:
    """Ask the site to build the newest commit of REPOSITORY."""
    context.show(site.post(f"v0/builds/{owner_and_name(repository)}/"))


@build.command("list")
@click.argument("repository")
@asks_site
def build_list(context: Context, site: Site, repository: str) -> None:
    """List the builds of REPOSITORY, newest first."""
    context.show_rows(list(site.pages(_builds(site, repository))), COLUMNS)


@build.command("get")
@click.argument("repository")
@click.argument("number", type=click.IntRange(min=1))
@asks_site
def build_get(context: Context, site: Site, repository: str, number: int) -> None:
    """Show build NUMBER of REPOSITORY."""
    context.show(site.get(f"{_builds(site, repository)}/{number}"))


@build.command("cancel")
@click.argument("repository")
@click.argument("number", type=click.IntRange(min=1))
@asks_site
def build_cancel(context: Context, site: Site, repository: str, number: int) -> None:
    """Give up build NUMBER of REPOSITORY, if it still waits."""
    context.show(site.post(f"{_builds(site, repository)}/{number}/cancel"))


def _builds(site: Site, repository: str) -> str:
    return f"v1/repositories/{site.repository(repository)['id']}/builds"
