"""What every command of `sb` needs: who the site is, who reads the answer, and errors in one line."""

import errno
import json
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import wraps
from typing import Any, Concatenate, ParamSpec

import click

from benchrecord import printable
from sotabench import __version__
from sotabench.client import Site
from sotabench.config import DEFAULT_PATH, Config, load_config
from sotabench.errors import SotabenchError, Unusable
from sotabench.tables import facts, table

_P = ParamSpec("_P")
JSON_HELP = "Answer in JSON, for programs."
Row = Mapping[str, Any]


@dataclass(frozen=True)
class Context:
    """The configuration, and whether a program or a person reads the answer."""

    config: Config
    as_json: bool

    def site(self) -> Site:
        """The configured site."""
        return Site(self.config.url, self.config.token)

    def show(self, answer: Any, text: Callable[[Any], str] = facts) -> None:
        """The answer as JSON for programs, or as `text` makes it for people: a line a fact."""
        click.echo(json.dumps(answer, indent=2) if self.as_json else text(answer))

    def show_rows(self, rows: Sequence[Row], columns: Sequence[str]) -> None:
        """Many things."""
        self.show(list(rows), lambda found: table(found, columns))


class OneLine(click.Group):
    """Errors that are said on purpose become one line on stderr and the exit code 1."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command."""
        try:
            return super().invoke(ctx)
        except click.Abort as error:
            if sys.stdin is not None and sys.stdin.isatty():
                raise
            click.echo(err=True)  # ends the question's line
            raise click.ClickException(
                "expected an answer, found no terminal to ask at; "
                "give --username and the variable SOTABENCH_PASSWORD, or SOTABENCH_TOKEN instead of `sb login`"
            ) from error
        except SotabenchError as error:
            raise click.ClickException(printable(str(error), 2000)) from error
        except OSError as error:
            if error.errno == errno.EPIPE:  # who reads the answer has gone: click ends quietly
                raise
            raise click.ClickException(f"expected files and network to work, found: {printable(str(error))}") from error


@click.group(cls=OneLine, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, message="sb %(version)s")
@click.option(
    "--config",
    "path",
    envvar="SOTABENCH_CONFIG",
    default=DEFAULT_PATH,
    show_default=True,
    metavar="FILE",
    help="Which site, as whom.",
)
@click.option(
    "--profile", envvar="SOTABENCH_PROFILE", default="default", show_default=True, help="Section of the file."
)
@click.option("--json", "as_json", is_flag=True, help=JSON_HELP)
@click.pass_context
def main(context: click.Context, path: str, profile: str, *, as_json: bool) -> None:
    """Evaluate the models of a repository and show the results on a site.

    In a repository with a sotabench.py: `sb check`, `sb run`, `sb submit`. Which site, and as whom, comes from
    SOTABENCH_URL and SOTABENCH_TOKEN, or from the configuration that `sb login` writes.
    """
    context.obj = Context(load_config(path, profile, os.environ), as_json)


def takes_json(command: click.Command) -> None:
    """Let `--json` stand behind the command's name too, and behind those of all commands of a group."""
    for one in command.commands.values() if isinstance(command, click.Group) else ():
        takes_json(one)
    if not isinstance(command, click.Group):
        option = click.Option(["--json"], is_flag=True, expose_value=False, callback=_wants_json, help=JSON_HELP)
        command.params.append(option)


def _wants_json(context: click.Context, _: click.Parameter, value: bool) -> None:  # noqa: FBT001 - click calls it so
    if value:
        context.obj = replace(context.obj, as_json=True)


def asks_site(command: Callable[Concatenate[Context, Site, _P], None]) -> Callable[_P, None]:
    """The command, called with the context and the configured site, which is closed behind it."""

    @click.pass_obj
    @wraps(command)
    def called(context: Context, /, *args: _P.args, **kwargs: _P.kwargs) -> None:
        with context.site() as site:
            command(context, site, *args, **kwargs)

    return called


def plain(part: str) -> str:
    """A piece of an address. Raises Unusable for what would lead elsewhere."""
    if part in {"", ".", ".."} or not part.isprintable() or set(part) & set("/?#%\\ "):
        raise Unusable(f"expected a name, found {part!r}")
    return part
