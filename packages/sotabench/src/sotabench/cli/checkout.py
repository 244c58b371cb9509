"""`sb check`, `sb run`, `sb submit`: the repository that one stands in."""

import json
import sys
from pathlib import Path

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
from sotabench.cli.command import Context
from sotabench.client import Submission
from sotabench.static_page import write_page


@click.command()
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


@click.command()
@click.option("-o", "--output", default=RECORDS, show_default=True, help="The file that the records are added to.")
def run(output: str) -> None:
    """Run sotabench.py and keep its records, with the predictions beside them."""
    check_files(Path.cwd())
    sys.exit(run_evaluation(Path.cwd(), {"SOTABENCH_STORE_FILENAME": str(Path(output).absolute())}))


@click.command()
@click.argument("records", nargs=-1, type=click.Path(path_type=Path))
@click.option("--repository", help="owner/name or host/owner/name; the remote `origin` when left out.")
@click.option("--commit", help="What was evaluated; what is checked out when left out.")
@click.option(
    "--private", is_flag=True, help="Show the repository to yourself only; refused where everybody sees it already."
)
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
        context.show({"page": str(write_page(found.records, static))}, lambda made: made["page"])
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
