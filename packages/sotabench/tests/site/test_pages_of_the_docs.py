"""The site's pages in docs/ speak of every command, option, setting and limit, and of none that there is not."""

import argparse
import re
from pathlib import Path

import click
import pytest

from sotabench.cli import main
from sotabench.server import bodies, settings
from sotabench.server.accounts.models import Scope
from sotabench.server.api import v1
from sotabench.server.benchmarks import results, submissions
from sotabench.server.datasets import services, sweeps
from sotabench.server.repositories import turns
from sotabench.site import build_parser

DOCS = Path(__file__).resolve().parents[4] / "docs"
PAGES = {page.stem: page.read_text() for page in (DOCS / "site").glob("*.md")}
ALL = "\n".join(PAGES.values())
GIB, MIB, KIB = 1 << 30, 1 << 20, 1 << 10


def commands_of_sb(group, name):
    for inner, command in group.commands.items():
        if isinstance(command, click.Group):
            yield from commands_of_sb(command, f"{name} {inner}")
        else:
            yield f"{name} {inner}", command


def test_every_command_of_sb_and_each_of_its_options_stand_in_one_row():
    for name, command in commands_of_sb(main, "sb"):
        (row,) = [line for line in PAGES["using"].splitlines() if line.startswith(f"| `{name}") and f"{name}" in line]
        options = [word for option in command.params if isinstance(option, click.Option) for word in option.opts]
        own = [word for word in options if word != "--json"]  # of all commands, in a table of its own
        assert [word for word in own if word not in row] == [], name


def test_options_of_all_commands_of_sb_are_documented():
    words = [word for option in main.params for word in option.opts]
    assert [word for word in words if not re.search(rf"`(?:sb )?{word}\b", PAGES["using"])] == []


def test_rows_of_sb_are_commands_that_there_are():
    known = {name for name, _ in commands_of_sb(main, "sb")}
    rows = re.findall(r"^\| `(sb [a-z]+(?: [a-z]+)?)", PAGES["using"], re.MULTILINE)
    assert set(rows) == known


def test_every_command_of_sotabench_and_each_of_its_options_are_documented():
    (commands,) = [action for action in build_parser()._actions if isinstance(action, argparse._SubParsersAction)]
    for name, parser in commands.choices.items():
        assert re.search(rf"`(?:sotabench )?{name}\b", ALL), f"docs/site says nothing of `sotabench {name}`"
        options = [word for action in parser._actions for word in action.option_strings]
        assert [word for word in options if word not in {"-h", "--help"} and f"`{word}" not in ALL] == [], name


def test_every_setting_that_is_read_is_in_the_table_and_the_table_is_on_the_page():
    read = set(re.findall(r'"(SOTABENCH_\w+|DATABASE_URL)"', Path(settings.__file__).read_text()))
    table = set(re.findall(r"`(SOTABENCH_\w+|DATABASE_URL)`", settings.__doc__))
    assert read <= table
    assert "server/settings.py" in PAGES["running"]
    spoken_of = set(re.findall(r"\b(SOTABENCH_[A-Z_]+|DATABASE_URL)\b", PAGES["running"]))
    assert spoken_of <= table


@pytest.mark.parametrize(
    "words",
    [
        f"{settings.API_REQUESTS_A_MINUTE['token']:,} of a user",
        f"{settings.API_REQUESTS_A_MINUTE['address']} of an address",
        f"| JSON of one call | {settings.DATA_UPLOAD_MAX_MEMORY_SIZE // MIB} MiB |",
        f"| records in a submission | {submissions.MOST_RECORDS} |",
        f"at most {submissions.MOST_RECORDS} and {v1.MOST_BYTES_OF_RECORDS // MIB} MiB",
        f"| one record | {results.MOST_BYTES_OF_A_RECORD // KIB} KiB |",
        f"together may be {v1.MOST_BYTES_A_SUBMISSION // MIB} MiB",
        f"{services.MOST_BYTES // GIB} GiB, in at most {services.MOST_PARTS:,} parts",
        f"at most {services.MOST_BYTES_A_PART // MIB} MiB",
        f"{services.MOST_BYTES_A_USER // GIB} GiB |",
        f"not ended, of one user | {services.MOST_UPLOADS_AT_ONCE} |",
        f"one of a user, {turns.MOST_AT_ONCE} of all |",
        f"more than {bodies.MOST_OF_A_FORM // MIB} MiB, or a call of more than {bodies.MOST_OF_A_CALL // MIB} MiB",
        f"{sweeps.ABANDONED_AFTER.days} days after its last part",
        f"`{Scope.SUBMIT}` or `{Scope.MANAGE}`",
    ],
)
def test_limit_on_the_pages_is_the_programs(words):
    assert words in ALL
