"""The client that people have installed, `sotabenchapi` 0.0.16 from the package index, talks to this site unchanged."""

import json
import subprocess
import sys

import pytest

from sotabench.server.accounts.models import ApiToken
from sotabench.server.benchmarks.services import add_known_benchmarks
from sotabench.server.builds.models import Build
from sotabench.server.builds.services import create_build

WHEELS = (["--no-deps", "sotabenchapi==0.0.16"], ["click", "requests", "tabulate"])
COMMIT = "0123456789abcdef0123456789abcdef01234567"
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
def command(published, tmp_path, environment):
    """Calls the published command; what it printed."""

    def call(*arguments, env=environment, **options):
        done = subprocess.run(
            [published, "-P", "-m", "sotabenchapi", *map(str, arguments)],
            env=env, cwd=tmp_path, capture_output=True, text=True, check=True, timeout=60, **options
        )  # fmt: skip
        return done.stdout

    return call


@pytest.fixture
def ask(published, tmp_path, adas_environment):
    """The value of an expression over a `client` of the published library."""

    def call(expression):
        setup = "import json; from sotabenchapi.client import Client; from sotabenchapi.config import Config"
        code = f"{setup}; client = Client(Config({str(tmp_path / 'none.ini')!r})); print(json.dumps({expression}))"
        done = subprocess.run(
            [published, "-P", "-c", code], env=adas_environment, capture_output=True, text=True, check=False, timeout=60
        )
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    return call


def test_login_writes_a_token_that_works(command, ada, home, vision):
    vision.is_public = False
    vision.save()
    command("login", input="ada\ncorrect horse battery\n", start_new_session=True)
    assert ApiToken.objects.get().prefix in (home / ".sotabench" / "sotabenchapi.ini").read_text()
    assert "pytorch/vision" in command("repo", "list")


def test_wrong_password_gives_no_token(published, environment, tmp_path, ada):
    done = subprocess.run(
        [published, "-P", "-m", "sotabenchapi", "login"],
        env=environment, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=60,
        input="ada\nwrong\n", start_new_session=True,
    )  # fmt: skip
    assert done.returncode != 0
    assert "Unauthorized" in done.stderr


def test_repositories_are_listed_and_got(command, vision):
    for arguments in (["list"], ["list", "-o", "ada"], ["get", "pytorch/vision"]):
        printed = command("repo", *arguments)
        assert "pytorch/vision" in printed
        assert "build_enabled" in printed
    assert "pytorch/vision" not in command("repo", "list", "-o", "bob")
    assert "Not found." in command("repo", "get", "pytorch/none")


def test_builds_are_listed_and_got(command, ada, vision):
    create_build(vision, ada, commit=COMMIT, origin=Build.Origin.SUBMITTED)
    assert COMMIT in command("build", "list", "pytorch/vision")
    assert COMMIT in command("build", "get", "pytorch/vision", 1)
    assert "Not found." in command("build", "get", "pytorch/vision", 2)


def test_starting_a_build_prints_what_to_do_instead(command, adas_environment, vision):
    assert "sb submit" in command("build", "start", "pytorch/vision", env=adas_environment)
    assert "Unauthorized" in command("build", "start", "pytorch/vision")


@pytest.mark.parametrize(
    ("top_1", "said"), [(0.76, "No errors detected"), (76.0, "expected results['Top 1 Accuracy'] to be a fraction")]
)
@pytest.mark.parametrize("mode", [[], ["--params"]])
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
