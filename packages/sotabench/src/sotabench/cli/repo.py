"""`sb repo`: repositories that the site knows."""

from typing import Any

import click

from sotabench.cli.command import Context, asks_site
from sotabench.client import Site
from sotabench.errors import SiteRefused, Unusable

COLUMNS = ("name", "host", "username", "is_public", "build_enabled", "default_branch")
_SHOWN = ("proven_by", "why_not_built", "webhook")
_SOMEBODY_ELSES = 403


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


@repo.command("connect")
@click.argument("address")
@click.option("--private", is_flag=True, help="Show its results to yourself only.")
@click.option("--host-token", envvar="SOTABENCH_HOST_TOKEN", help="Token of the git host that administers it.")
@click.option("--kind", default="", help="github, gitlab or gitea, where the host is not a known one.")
@click.option("--keep-token", is_flag=True, help="Keep that token on the site, to show builds at the commits.")
@asks_site
def repo_connect(context: Context, site: Site, /, address: str, **options: Any) -> None:
    """Show that you control the repository at ADDRESS, so that its pushes are built.

    By a line in a file of its default branch, which is printed when it is not there yet: commit it, push, and run this
    again. Or by a token of the git host, which is sent to that host alone.
    """
    if options["host_token"]:
        proof = {"token": options["host_token"], "kind": options["kind"], "keep": options["keep_token"]}
        context.show(_flat(site.post("v1/proofs", {"address": address, **proof})))
        return
    try:
        named = site.post("v1/repositories", {"address": address, "public": not options["private"]})
    except SiteRefused as error:
        if error.status != _SOMEBODY_ELSES:
            raise
        named = site.post("v1/proof-lines", {"address": address})
    try:
        context.show(_flat(site.post("v1/proofs", {"address": address})))
    except SiteRefused as error:
        raise Unusable(
            f"{error}. The line for {named['proof_file']} in its default branch: {named['proof_line']} "
            f"(commit it, push, and run this again)"
        ) from error


@repo.command("webhook")
@click.argument("repository")
@asks_site
def repo_webhook(context: Context, site: Site, repository: str) -> None:
    """Make a secret for the webhook of REPOSITORY, shown this once; the one before ends."""
    context.show(site.post(f"v1/repositories/{site.repository(repository)['id']}/webhook"))


@repo.command("disconnect")
@click.argument("repository")
@asks_site
def repo_disconnect(context: Context, site: Site, repository: str) -> None:
    """Build REPOSITORY no more and forget its secrets; results stay."""
    context.show(site.delete(f"v1/repositories/{site.repository(repository)['id']}/connection", {}))


def _flat(connection: Any) -> Any:
    """The repository's own facts, beside those of its connection."""
    return {**connection["repository"], **{key: value for key, value in connection.items() if key in _SHOWN}}
