"""`sb login`."""

import click

from benchrecord import printable
from sotabench.cli.command import Context
from sotabench.client import Site
from sotabench.config import save_token, site_address


@click.command()
@click.option("--url", help="The site's address; the configured one when left out.")
@click.option("--username", prompt=True, help="Asked for when left out.")
@click.option(
    "--password",
    prompt=True,
    hide_input=True,
    envvar="SOTABENCH_PASSWORD",
    help="Asked for when left out, which is safer: other users of a machine can see what a program was called with.",
)
@click.pass_obj
def login(context: Context, url: str | None, username: str, password: str) -> None:
    """Get a token for a password and keep it in the configuration file."""
    address = site_address(url) if url else context.config.url
    with Site(address) as site:
        save_token(context.config, url=address, token=site.log_in(username, password))
    click.echo(f"signed in at {address} as {printable(username, 100)}", err=True)
