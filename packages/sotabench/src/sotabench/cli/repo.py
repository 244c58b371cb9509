"""`sb repo`: repositories that the site knows."""

import click

from sotabench.cli.command import Context, asks_site
from sotabench.client import Site

COLUMNS = ("name", "host", "username", "is_public", "build_enabled", "default_branch")


@click.group()
def repo() -> None:
    """Repositories that the site knows."""


@repo.command("list")
@click.option("-o", "--owner", default="", help="Those of this user of the site.")
@asks_site
def repo_list(context: Context, site: Site, owner: str) -> None:
    """List the repositories that you may see."""
    context.show_rows(list(site.pages("v1/repositories", owner=owner)), COLUMNS)


@repo.command("get")
@click.argument("repository")
@asks_site
def repo_get(context: Context, site: Site, repository: str) -> None:
    """Show one REPOSITORY, as owner/name or host/owner/name."""
    context.show(site.repository(repository))
