"""What whoever runs a site types, as they type it."""

import os
import sqlite3
import subprocess
import sys

import pytest
from django.core.management import call_command

from sotabench.server.commands.serve import prepare_site
from sotabench.server.papers.importing import import_shipped_once
from sotabench.server.papers.models import ReportedResult

SOTABENCH = [sys.executable, "-c", "import sys; from sotabench.site import main; sys.exit(main())"]
CARD = """model-index:
- name: org/net
  results:
  - {task: {type: image-classification}, dataset: {type: beans, name: Beans}, metrics: [{type: f1, value: 0.65}]}
  - {task: {type: image-classification}, dataset: {type: beans, name: Beans}, metrics: [{type: f1, value: many}]}
"""


@pytest.fixture
def sotabench(tmp_path):
    def run(*arguments, data="data"):
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("SOTABENCH_", "DJANGO_"))}
        kept.pop("DATABASE_URL", None)
        command, *rest = arguments
        return subprocess.run(
            [*SOTABENCH, command, "--data", str(tmp_path / data), *rest],
            env=kept, cwd=tmp_path, capture_output=True, text=True, check=False,
        )  # fmt: skip

    return run


def test_help_names_every_command_and_shows_examples():
    shown = subprocess.run([*SOTABENCH, "--help"], capture_output=True, text=True, check=True).stdout
    for word in (
        "serve",
        "backup",
        "restore",
        "repositories",
        "drain",
        "papers",
        "benchmarks",
        "settings",
        "manage",
        "examples:",
        "DATABASE_URL",
    ):
        assert word in shown


def test_import_says_what_became_of_the_rows_and_fails_for_a_bad_one(sotabench, tmp_path):
    (tmp_path / "card.yaml").write_text(CARD)
    done = sotabench("papers", "import", "card.yaml")
    assert done.returncode == 1
    assert done.stdout == "1 added, 0 changed, 0 known already, 1 bad; 1 new benchmarks\n"
    assert done.stderr.startswith("card.yaml, model-index[0].results[1]: expected f1 to be a number")
    listed = sotabench("benchmarks", "list").stdout
    assert "image-classification-on-beans\tImage Classification on Beans" in listed
    assert "image-classification-on-imagenet\tImage Classification on ImageNet\t50000" in listed


def test_site_is_backed_up_and_restored_from_the_command_line(sotabench, tmp_path):
    (tmp_path / "card.yaml").write_text(CARD)
    sotabench("papers", "import", "card.yaml")
    assert sotabench("manage", "createsuperuser", "--noinput", "--username", "ada", "--email", "").returncode == 0
    assert sotabench("backup", "site.tar.gz").returncode == 0
    assert sotabench("restore", "site.tar.gz").stderr.startswith("sotabench: expected an empty site")
    assert sotabench("restore", "site.tar.gz", data="other").stdout == "restored; `sotabench serve` runs it\n"
    with sqlite3.connect(tmp_path / "other" / "database.sqlite3") as database:
        assert database.execute("SELECT slug FROM benchmarks_benchmark WHERE slug LIKE '%beans'").fetchall()
    database.close()
    assert (tmp_path / "data" / "secret-key").read_text() == (tmp_path / "other" / "secret-key").read_text()


def test_what_cannot_be_done_is_said_in_one_line(sotabench):
    done = sotabench("benchmarks", "labels", "none", "none.csv")
    assert done.returncode == 1
    assert done.stderr == "sotabench: expected a benchmark, found none at 'none'\n"


@pytest.mark.django_db
def test_every_change_of_the_models_has_its_migration():
    call_command("makemigrations", check=True, dry_run=True, verbosity=0)


def test_settings_are_printed(sotabench):
    assert "| `DATABASE_URL` |" in sotabench("settings").stdout


def test_runner_is_given_a_token_drained_and_revoked(sotabench):
    assert sotabench("manage", "migrate", "--verbosity", "0").returncode == 0
    added = sotabench("runners", "add", "lab")
    assert "sbr_" in added.stdout
    assert "lab  in service  never seen" in sotabench("runners", "list").stdout
    for action, state in (("drain", "drained"), ("resume", "in service"), ("revoke", "revoked")):
        assert sotabench("runners", action, "lab").returncode == 0
        assert f"lab  {state}" in sotabench("runners", "list").stdout
    missing = sotabench("runners", "drain", "nobody")
    assert (missing.returncode, missing.stderr.count("\n")) == (1, 1)


@pytest.mark.parametrize("name", ["a" * 101, "a\nb", "this machine"])
def test_runner_whose_name_cannot_be_is_refused(sotabench, name):
    done = sotabench("runners", "add", name)
    assert (done.returncode, done.stderr.count("\n"), "sbr_" in done.stdout) == (1, 1, False)
    assert "expected a name of" in done.stderr
    assert sotabench("runners", "list").stdout == ""


def test_backup_of_a_folder_without_a_site_is_refused_in_one_line(sotabench, tmp_path):
    done = sotabench("backup", str(tmp_path / "backup.tar.gz"), data="typo")
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert "--data" in done.stderr
    assert not (tmp_path / "backup.tar.gz").exists()


def test_database_that_does_not_answer_is_one_line(tmp_path):
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("SOTABENCH_", "DJANGO_"))}
    kept["DATABASE_URL"] = "postgresql://nobody:the-secret@127.0.0.1:9/none"
    done = subprocess.run([*SOTABENCH, "serve"], env=kept, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].startswith("sotabench: expected the database to answer, found: ")
    assert "Traceback" not in done.stderr
    assert "the-secret" not in done.stderr


def test_folder_is_added_and_listed_and_drained_site_says_so(sotabench, tmp_path):
    sotabench("manage", "migrate")
    assert "--owner" in sotabench("repositories", "add", "file:///srv/git/net.git").stderr
    sotabench("manage", "createsuperuser", "--noinput", "--username", "owner", "--email", "o@example.org")
    added = sotabench("repositories", "add", "file:///srv/git/net.git", "--name", "ada/net")
    assert "localhost/ada/net is owner's" in added.stdout, added.stderr
    assert "is built" in sotabench("repositories", "list").stdout
    assert sotabench("drain", "on", "--reason", "an update").stdout == "nothing new is built\n"
    assert "no new builds" in sotabench("repositories", "list").stdout
    assert sotabench("drain", "off").stdout == "builds begin as they come\n"
    assert "is built" in sotabench("repositories", "approve", "localhost/ada/net").stdout
    assert "found none named" in sotabench("repositories", "approve", "nobody/nothing").stderr


@pytest.mark.parametrize("first", [["benchmarks", "list"], ["datasets", "list"], ["papers", "import", "card.yaml"]])
def test_whatever_is_typed_first_a_site_has_its_published_figures(sotabench, tmp_path, first):
    (tmp_path / "card.yaml").write_text(CARD)
    done = sotabench(*first)
    assert done.returncode == (1 if "card.yaml" in first else 0), done.stderr
    assert "2181 known already" in sotabench("papers", "import").stdout


@pytest.mark.django_db
def test_site_that_has_benchmarks_already_gets_its_published_figures(benchmarks):
    prepare_site()
    assert ReportedResult.objects.count() == 2181


@pytest.mark.django_db
def test_published_figures_that_an_owner_deleted_do_not_come_back(benchmarks):
    import_shipped_once()
    ReportedResult.objects.filter(catalogue="timm").delete()
    left = ReportedResult.objects.count()
    prepare_site()
    assert ReportedResult.objects.count() == left > 0
    ReportedResult.objects.all().delete()
    prepare_site()
    assert not ReportedResult.objects.exists()
