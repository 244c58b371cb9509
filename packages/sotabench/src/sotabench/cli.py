"""`sb`: from a repository on one's own machine to a site."""

import json
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from benchrecord import printable
from sotabench.checkout import (
    RECORDS,
    branch_of,
    check_evaluation,
    check_files,
    commit_of,
    find_records,
    repository_of,
    run_evaluation,
)
from sotabench.client import Site, Submission
from sotabench.config import DEFAULT_PATH, Config, load_config, save_token, site_address
from sotabench.errors import SotabenchError, Unusable
from sotabench.static_page import write_page
from sotabench.tables import facts, table
from sotabench.uploading import PART_SIZE, upload_dataset

REPOSITORY_COLUMNS = ("name", "host", "username", "is_public", "build_enabled", "default_branch")
BUILD_COLUMNS = ("number", "status", "commit", "branch", "origin", "created_at")
BENCHMARK_COLUMNS = ("slug", "task", "dataset", "size", "metrics")
DATASET_COLUMNS = ("dataset", "size", "sha256", "created")

Row = Mapping[str, Any]


@dataclass(frozen=True)
class Context:
    """What every command needs: who the site is, and who reads the answer."""

    config: Config
    as_json: bool

    def site(self) -> Site:
        """The configured site."""
        return Site(self.config.url, self.config.token)

    def show(self, answer: Any, text: Callable[[Any], str]) -> None:
        """The answer as JSON for programs, or as `text` makes it for people."""
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
        except SotabenchError as error:
            raise click.ClickException(printable(str(error), 2000)) from error


@click.group(cls=OneLine, context_settings={"help_option_names": ["-h", "--help"]})
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
@click.option("--json", "as_json", is_flag=True, help="Answer in JSON, for programs.")
@click.pass_context
def main(context: click.Context, path: str, profile: str, *, as_json: bool) -> None:
    """Evaluate the models of a repository and show the results on a site.

    In a repository with a sotabench.py: `sb check`, `sb run`, `sb submit`. Which site, and as whom, comes from
    SOTABENCH_URL and SOTABENCH_TOKEN, or from the configuration that `sb login` writes.
    """
    context.obj = Context(load_config(path, profile, os.environ), as_json)


@main.command()
@click.option("--url", help="The site's address; the configured one when left out.")
@click.option("--username", prompt=True)
@click.option("--password", prompt=True, hide_input=True)
@click.pass_obj
def login(context: Context, url: str | None, username: str, password: str) -> None:
    """Get a token for a password and keep it in the configuration file."""
    address = site_address(url) if url else context.config.url
    with Site(address) as site:
        save_token(context.config, url=address, token=site.log_in(username, password))
    click.echo(f"signed in at {address} as {printable(username, 100)}", err=True)


@main.command()
@click.option("-p", "--params", is_flag=True, help="Look at the arguments only: no data, no forward pass.")
@click.pass_obj
def check(context: Context, *, params: bool) -> None:
    """Try sotabench.py without a whole evaluation.

    One batch goes through each model (with --params none does). Where a site is configured, it is asked whether it
    would take the records. The exit code is 0 when all is well.
    """
    code, records = check_evaluation(Path.cwd(), "params" if params else "full")
    if code:
        raise click.ClickException(f"expected sotabench.py to end well, found exit code {code}; its output says why")
    if records and context.config.url:
        with context.site() as site:
            errors = site.check_results(records)
        if errors:
            raise click.ClickException("; ".join(printable(error, 500) for error in errors))
    click.echo("no errors found", err=True)


@main.command()
@click.option("-o", "--output", default=RECORDS, show_default=True, help="The file that the records are added to.")
def run(output: str) -> None:
    """Run sotabench.py and keep its records, with the predictions beside them."""
    check_files(Path.cwd())
    sys.exit(run_evaluation(Path.cwd(), {"SOTABENCH_STORE_FILENAME": str(Path(output).absolute())}))


@main.command()
@click.argument("records", nargs=-1, type=click.Path(path_type=Path))
@click.option("--repository", help="owner/name or host/owner/name; the remote `origin` when left out.")
@click.option("--commit", help="What was evaluated; what is checked out when left out.")
@click.option("--private", is_flag=True, help="Show a repository that is new to the site to yourself only.")
@click.option(
    "--static", type=click.Path(path_type=Path), metavar="DIR", help="Write a page into this folder, send nothing."
)
@click.pass_obj
def submit(
    context: Context,
    records: tuple[Path, ...],
    repository: str | None,
    commit: str | None,
    static: Path | None,
    *,
    private: bool,
) -> None:
    """Send RECORDS, by default sotabench-results.json, and the predictions beside them.

    They become self-reported results of the commit. Every record is taken or none.
    """
    found = find_records(records or (Path(RECORDS),))
    if static is not None:
        click.echo(write_page(found.records, static))
        return
    here = Path.cwd()
    submission = Submission(
        repository=repository or repository_of(here),
        commit=commit or commit_of(here),
        records=json.dumps(found.records).encode(),
        files=found.files,
        branch="" if commit else branch_of(here),
        public=not private,
    )
    with context.site() as site:
        answer = site.submit(submission)
        context.show(answer, lambda made: "\n".join(f"{site.url}/results/{key}" for key in made["results"]))


@main.group()
def repo() -> None:
    """Repositories that the site knows."""


@repo.command("list")
@click.option("-o", "--owner", default="", help="Those of this user of the site.")
@click.pass_obj
def repo_list(context: Context, owner: str) -> None:
    """List the repositories that you may see."""
    with context.site() as site:
        context.show_rows(list(site.pages("v1/repositories", owner=owner)), REPOSITORY_COLUMNS)


@repo.command("get")
@click.argument("repository")
@click.pass_obj
def repo_get(context: Context, repository: str) -> None:
    """Show one REPOSITORY, as owner/name or host/owner/name."""
    with context.site() as site:
        context.show(site.repository(repository), facts)


@main.group()
def build() -> None:
    """Builds: what was made of a repository's commits."""


@build.command("start")
@click.argument("repository")
@click.pass_obj
def build_start(context: Context, repository: str) -> None:
    """Ask the site to build the newest commit of REPOSITORY."""
    with context.site() as site:
        context.show(site.post(f"v0/builds/{_owner_and_name(repository)}/"), facts)


@build.command("list")
@click.argument("repository")
@click.pass_obj
def build_list(context: Context, repository: str) -> None:
    """List the builds of REPOSITORY, newest first."""
    with context.site() as site:
        key = site.repository(repository)["id"]
        context.show_rows(list(site.pages(f"v1/repositories/{key}/builds")), BUILD_COLUMNS)


@build.command("get")
@click.argument("repository")
@click.argument("number", type=click.IntRange(min=1))
@click.pass_obj
def build_get(context: Context, repository: str, number: int) -> None:
    """Show build NUMBER of REPOSITORY."""
    with context.site() as site:
        key = site.repository(repository)["id"]
        context.show(site.get(f"v1/repositories/{key}/builds/{number}"), facts)


@build.command("cancel")
@click.argument("repository")
@click.argument("number", type=click.IntRange(min=1))
@click.pass_obj
def build_cancel(context: Context, repository: str, number: int) -> None:
    """Give up build NUMBER of REPOSITORY, if it still waits."""
    with context.site() as site:
        key = site.repository(repository)["id"]
        context.show(site.post(f"v1/repositories/{key}/builds/{number}/cancel"), facts)


@main.group()
def benchmark() -> None:
    """Benchmarks that the site knows."""


@benchmark.command("list")
@click.option("-s", "--search", default="", help="Those with this text in task or data set.")
@click.pass_obj
def benchmark_list(context: Context, search: str) -> None:
    """List the benchmarks."""
    with context.site() as site:
        context.show_rows(list(site.pages("v1/benchmarks", search=search)), BENCHMARK_COLUMNS)


@benchmark.command("get")
@click.argument("slug")
@click.pass_obj
def benchmark_get(context: Context, slug: str) -> None:
    """Show the benchmark SLUG, such as image-classification-on-imagenet."""
    with context.site() as site:
        context.show(site.get(f"v1/benchmarks/{_plain(slug)}"), facts)


@main.group()
def dataset() -> None:
    """Data sets that a repository brings along, below its .data/."""


@dataset.command("list")
@click.argument("repository")
@click.pass_obj
def dataset_list(context: Context, repository: str) -> None:
    """List the data sets of REPOSITORY."""
    with context.site() as site:
        context.show_rows(site.get(_datasets(repository)), DATASET_COLUMNS)


@dataset.command("get")
@click.argument("repository")
@click.argument("path")
@click.pass_obj
def dataset_get(context: Context, repository: str, path: str) -> None:
    """Show the data set at PATH of REPOSITORY."""
    with context.site() as site:
        context.show(site.get(_datasets(repository), dataset=path), facts)


@dataset.command("upload")
@click.argument("repository")
@click.argument("file", type=click.Path(path_type=Path))
@click.argument("path", required=False)
@click.option("--part-size", default=PART_SIZE, show_default=True, type=click.IntRange(min=1), metavar="BYTES")
@click.pass_obj
def dataset_upload(context: Context, repository: str, file: Path, path: str | None, part_size: int) -> None:
    """Upload FILE to PATH (by default its own name) below the .data/ of REPOSITORY.

    Interrupted and begun again, it sends only what the site does not have yet.
    """

    def progress(there: int, whole: int) -> None:
        click.echo(f"{there} of {whole} bytes", err=True)

    with context.site() as site:
        upload = upload_dataset(site, repository, file, path or file.name, part_size=part_size, progress=progress)
        context.show(upload, facts)


@dataset.command("delete")
@click.argument("repository")
@click.argument("path")
@click.pass_obj
def dataset_delete(context: Context, repository: str, path: str) -> None:
    """Delete the data set at PATH of REPOSITORY."""
    with context.site() as site:
        context.show(site.delete(_datasets(repository), {"dataset": path}), facts)


def _datasets(repository: str) -> str:
    return f"v0/repositories/{_owner_and_name(repository)}/datasets/"


def _owner_and_name(repository: str) -> str:
    parts = [_plain(part) for part in repository.split("/")]
    if len(parts) != 2:
        raise Unusable(f"expected a repository as owner/name, found {repository!r}")
    return "/".join(parts)


def _plain(part: str) -> str:
    """A piece of an address. Raises Unusable for what would lead elsewhere."""
    if part in {"", ".", ".."} or not part.isprintable() or set(part) & set("/?#%\\ "):
        raise Unusable(f"expected a name, found {part!r}")
    return part
