"""The client that people have installed, `sotabenchapi` 0.0.16 from the package index, talks to this site unchanged."""

import json
import subprocess
import sys

import pytest

from sotabench.server.accounts.models import ApiToken, Scope
from sotabench.server.accounts.services import create_token
from sotabench.server.benchmarks.services import add_known_benchmarks
from sotabench.server.builds.models import Build
from sotabench.server.builds.services import create_build
from sotabench.server.repositories.services import withdraw_approval

WHEELS = (["--no-deps", "sotabenchapi==0.0.16"], ["click", "requests", "tabulate"])
COMMIT = "0123456789abcdef0123456789abcdef01234567"
CALL = """
import json
from sotabenchapi.client import Client
from sotabenchapi.config import Config
from sotabenchapi.errors import HttpClientError
client = Client(Config({config!r}))
try:
    print(json.dumps({expression}))
except HttpClientError as error:
    print(json.dumps(error.message))
"""
LIST_COMMANDS = """
import importlib.metadata, json, click
from sotabenchapi.commands import cli
assert importlib.metadata.version("sotabenchapi") == "0.0.16"
def walk(name, command):
    words = [word for p in command.params for word in (p.opts if isinstance(p, click.Option) else [p.name])]
    found = {} if isinstance(command, click.Group) and name else {name: sorted(words)}
    for inner, one in getattr(command, "commands", {}).items():
        found |= walk(f"{name} {inner}".strip(), one)
    return found
print(json.dumps(walk("", cli)))
"""
CHECKED_FILE = """
import os
os.environ["SOTABENCH_URL"] = {url!r}  # `check` passes nothing of the environment on
from sotabenchapi.core import BenchmarkResult
BenchmarkResult(
    model={model!r}, task="Image Classification", dataset="ImageNet", results={{"Top 1 Accuracy": {top_1}}},
    arxiv_id="1512.03385",
)
"""


@pytest.fixture(scope="session")
def published(request):
    """The interpreter of an environment that holds the published client, made once and kept in pytest's cache."""
    folder = request.config.cache.mkdir("sotabenchapi-0.0.16")
    python = folder / "bin" / "python"
    ready = folder / "ready"
    if not ready.exists():
        subprocess.run([sys.executable, "-m", "venv", "--clear", folder], check=True)
        for wheels in WHEELS:
            pip = [python, "-m", "pip", "install", "--quiet", "--retries", "1", *wheels]
            done = subprocess.run(pip, capture_output=True, text=True, check=False)
            if done.returncode:
                pytest.skip(f"the package index gave no {wheels[-1]}: {done.stderr.strip()[-200:]}")
        ready.touch()
    return python


@pytest.fixture
def python(published, tmp_path, environment):
    """Runs the interpreter that has the published client; no module of this repository is on its path."""

    def call(*arguments, env=environment, **options):
        alone = {name: value for name, value in env.items() if name != "PYTHONPATH"}
        return subprocess.run(
            [published, "-P", *map(str, arguments)],
            env=alone, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=60, **options
        )  # fmt: skip

    return call


@pytest.fixture
def command(python):
    """Calls the published command; what it printed."""

    def call(*arguments, **options):
        done = python("-m", "sotabenchapi", *arguments, **options)
        assert done.returncode == 0, done.stderr
        return done.stdout

    return call


@pytest.fixture
def ask(python, tmp_path, adas_environment):
    """The value of an expression over a `client` of the published library; what it raises comes back as its words."""

    def call(expression):
        code = CALL.format(config=str(tmp_path / "none.ini"), expression=expression)
        done = python("-c", code, env=adas_environment)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    return call


def test_every_command_and_option_of_the_client_is_one_that_these_tests_call(python):
    found = json.loads(python("-c", LIST_COMMANDS).stdout)
    assert found == {
        "": ["--config", "--profile"],
        "login": [],
        "check": ["--params", "-p"],
        "repo list": ["--owner", "-o"],
        "repo get": ["repository"],
        "build start": ["repository"],
        "build list": ["repository"],
        "build get": ["repository", "run_number"],
    }


def test_login_writes_a_token_that_works(command, ada, home, vision):
    vision.is_public = False
    vision.save()
    command("login", input="ada\ncorrect horse battery\n", start_new_session=True)
    assert ApiToken.objects.get().prefix in (home / ".sotabench" / "sotabenchapi.ini").read_text()
    assert "pytorch/vision" in command("repo", "list")


def test_wrong_password_gives_no_token(python, ada, home):
    done = python("-m", "sotabenchapi", "login", input="ada\nwrong\n", start_new_session=True)
    assert done.returncode != 0
    assert "Unauthorized" in done.stderr
    assert not (home / ".sotabench").exists()


@pytest.mark.parametrize("by", ["options", "environment"])
def test_profile_of_a_configuration_file_says_which_site_and_who(command, environment, ada, vision, tmp_path, by):
    vision.is_public = False
    vision.save()
    file = tmp_path / "other.ini"
    token = create_token(ada, name="here")[1]
    file.write_text(f"[work]\nurl = {environment['SOTABENCH_URL']}\ntoken = {token}\n")
    plain = {name: value for name, value in environment.items() if name != "SOTABENCH_URL"}
    if by == "options":
        assert "pytorch/vision" in command("--config", file, "--profile", "work", "repo", "list", env=plain)
    else:
        named = plain | {"SOTABENCH_CONFIG": str(file), "SOTABENCH_PROFILE": "work"}
        assert "pytorch/vision" in command("repo", "list", env=named)


def test_repositories_are_listed_and_got(command, vision):
    for arguments in (["list"], ["list", "-o", "ada"], ["list", "--owner", "ada"], ["get", "pytorch/vision"]):
        printed = command("repo", *arguments)
        assert "pytorch/vision" in printed
        assert "build_enabled" in printed
    assert "pytorch/vision" not in command("repo", "list", "-o", "bob")
    assert "Not found." in command("repo", "get", "pytorch/none")


def test_nothing_to_list_is_an_empty_table(command, vision):
    assert command("repo", "list", "-o", "bob").strip() == ""
    assert command("build", "list", "pytorch/vision").strip() == ""


def test_builds_are_listed_and_got(command, ada, vision):
    create_build(vision, ada, commit=COMMIT, origin=Build.Origin.SUBMITTED)
    assert COMMIT in command("build", "list", "pytorch/vision")
    assert COMMIT in command("build", "get", "pytorch/vision", 1)
    assert "Not found." in command("build", "get", "pytorch/vision", 2)


def test_starting_a_build_prints_what_to_do_instead(command, adas_environment, vision):
    withdraw_approval(vision)
    assert "not approved" in command("build", "start", "pytorch/vision", env=adas_environment)
    assert "Unauthorized" in command("build", "start", "pytorch/vision")


@pytest.mark.parametrize(
    ("top_1", "said"), [(0.76, "No errors detected"), (76.0, "expected results['Top 1 Accuracy'] to be a fraction")]
)
@pytest.mark.parametrize("mode", [[], ["-p"], ["--params"]])
def test_check_shows_what_the_site_would_refuse(command, environment, tmp_path, top_1, said, mode):
    content = CHECKED_FILE.format(url=environment["SOTABENCH_URL"], model="ResNet-50", top_1=top_1)
    (tmp_path / "sotabench.py").write_text(content)
    (tmp_path / "requirements.txt").touch()
    assert said in command("check", *mode)


def test_calls_without_a_command_are_answered(ask, vision):
    add_known_benchmarks()
    assert ask("client.check_run_hashes(['ab', 'cd'])") == {"ab": False, "cd": False}
    assert ask("client.get_results_by_run_hash('ab')") == {}
    assert ask("client.repository_update('pytorch/vision', False)")["build_enabled"] is False
    vision.refresh_from_db()
    assert not vision.build_enabled


@pytest.mark.usefixtures("vision")
def test_refusals_are_printed_in_the_clients_words(command, environment, adas_environment, ada, bob, settings):
    start = ("build", "start", "pytorch/vision")
    bobs = environment | {"SOTABENCH_TOKEN": create_token(bob, name="bob")[1]}
    submitting = environment | {"SOTABENCH_TOKEN": create_token(ada, name="submit", scopes=[Scope.SUBMIT])[1]}
    assert command(*start).strip() == "Unauthorized"
    assert command(*start, env=environment | {"SOTABENCH_TOKEN": "sb_wrong"}).strip() == "Unauthorized"
    assert command(*start, env=bobs).strip() == "Forbidden!"
    assert command(*start, env=submitting).strip() == "Forbidden!"
    settings.API_REQUESTS_A_MINUTE = {"token": 0, "address": 0}
    assert "Too many requests" in command(*start, env=adas_environment)  # a GET it repeats by itself after the window


def test_refused_body_is_printed_line_by_line(ask):
    assert "hashes" in ask("client.check_run_hashes(['ab'] * 1001)")


def test_what_a_stranger_named_cannot_move_the_cursor_of_who_lists_builds(command, ada, vision):
    create_build(vision, ada, commit=COMMIT, origin=Build.Origin.SUBMITTED, branch="\x1b[2Jmain\u202e")
    printed = command("build", "list", "pytorch/vision")
    assert "main" in printed
    assert "\x1b" not in printed
    assert "\u202e" not in printed
