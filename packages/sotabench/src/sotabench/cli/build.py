"""`sb build`: what was made of a repository's commits."""

import time

import click

from benchrecord import printable
from sotabench.cli.command import Context, asks_site
from sotabench.client import Site

COLUMNS = ("number", "status", "commit", "branch", "origin", "created_at")
_LOOK_EVERY = 1.0


@click.group()
def build() -> None:
    """Builds: what was made of a repository's commits."""


@build.command("start")
@click.argument("repository")
@click.option("-b", "--branch", default="", help="Another branch than the default one: an unlisted preview.")
@click.option("--full", is_flag=True, help="Run everything; carry nothing over from earlier builds.")
@asks_site
def build_start(context: Context, site: Site, repository: str, branch: str, *, full: bool) -> None:
    """Ask the site to build the newest commit of REPOSITORY."""
    context.show(site.post(_builds(site, repository), {"branch": branch, "full": full}))


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
    """Give up build NUMBER of REPOSITORY, waiting or running."""
    context.show(site.post(f"{_builds(site, repository)}/{number}/cancel"))


@build.command("again")
@click.argument("repository")
@click.argument("number", type=click.IntRange(min=1))
@click.option("--full", is_flag=True, help="Run everything; carry nothing over from earlier builds.")
@asks_site
def build_again(context: Context, site: Site, repository: str, number: int, *, full: bool) -> None:
    """Build the commit of build NUMBER of REPOSITORY again."""
    context.show(site.post(f"{_builds(site, repository)}/{number}/again?full={str(full).lower()}"))


@build.command("log")
@click.argument("repository")
@click.argument("number", type=click.IntRange(min=1))
@click.option("-f", "--follow", is_flag=True, help="Go on until the build is over.")
@asks_site
def build_log(context: Context, site: Site, repository: str, number: int, *, follow: bool) -> None:
    """Print the log of build NUMBER of REPOSITORY."""
    address, after = f"{_builds(site, repository)}/{number}/log", 0
    whole = ""
    while True:
        part = site.get(address, after=after)
        if context.as_json:
            whole += part["text"]
        elif part["text"]:
            click.echo("\n".join(printable(line, 4000) for line in part["text"].splitlines()))
        reads_on, after = part["next"] != after, part["next"]
        if part["is_over"] or not (follow or reads_on):
            break
        if not reads_on:
            time.sleep(_LOOK_EVERY)
    if context.as_json:
        context.show({**part, "text": whole})
    click.echo(printable(f"{part['status']}{': ' + part['stage'] if part['stage'] else ''}"), err=True)


def _builds(site: Site, repository: str) -> str:
    return f"v1/repositories/{site.repository(repository)['id']}/builds"
