import json
import re
import subprocess

import numpy as np
import pytest

from benchrecord import PredictionsBuilder, write_predictions
from sotabench.checkout import repository_of
from sotabench.cli import main
from sotabench.errors import Unusable
from sotabench.server.accounts.models import ApiToken
from sotabench.server.benchmarks.models import Result
from sotabench.server.benchmarks.services import add_known_benchmarks
from sotabench.server.builds import leases
from sotabench.server.builds.models import Build
from sotabench.server.builds.services import Status, build_push, create_build
from sotabench.server.repositories.identity import identity_of
from sotabench.server.repositories.models import Repository
from sotabench.server.repositories.services import approve, connect_repository, withdraw_approval

COMMIT = "0123456789abcdef0123456789abcdef01234567"
RECORD = {
    "format": 1,
    "task": "Image Classification",
    "dataset_name": "ImageNet",
    "samples": 50_000,
    "model": "ResNet-50",
    "results": {"Top 1 Accuracy": 0.76, "Top 5 Accuracy": 0.93},
}
WRITES = (
    "import json, os; assert os.environ.get('SOTABENCH_CHECK') in (None, 'full', 'params'); "
    f"open(os.environ['SOTABENCH_STORE_FILENAME'], 'w').write(json.dumps([{RECORD!r}]))"
)


@pytest.fixture
def checkout(tmp_path):
    """A repository on a git host, checked out, whose `sotabench.py` writes one record."""
    folder = tmp_path / "vision"
    folder.mkdir()
    (folder / "sotabench.py").write_text(WRITES)
    (folder / "requirements.txt").touch()
    who = ["-c", "user.name=Ada", "-c", "user.email=ada@example.org"]
    commands = (
        ["init", "--quiet", "--initial-branch", "trunk"],
        ["remote", "add", "origin", "git@github.com:ada/vision.git"],
        ["add", "."],
        [*who, "commit", "--quiet", "-m", "Begin"],
    )
    for command in commands:
        subprocess.run(["git", *command], cwd=folder, check=True)
    return folder


def head(folder):
    return subprocess.run(["git", "rev-parse", "HEAD"], cwd=folder, check=True, capture_output=True, text=True).stdout


def test_login_keeps_a_token_that_only_its_owner_can_read(sb, home, ada, environment):
    done = sb("login", input="ada\ncorrect horse battery\n", start_new_session=True)
    assert done.returncode == 0, done.stderr
    file = home / ".sotabench" / "sotabenchapi.ini"
    assert file.stat().st_mode & 0o777 == 0o600
    assert ApiToken.objects.get().prefix in file.read_text()
    without_url = {name: value for name, value in environment.items() if name != "SOTABENCH_URL"}
    assert sb("repo", "list", env=without_url).returncode == 0


def test_wrong_password_is_one_line_and_no_file(sb, home, ada):
    done = sb("login", "--username", "ada", "--password", "wrong")
    assert done.returncode == 1
    assert done.stderr.startswith("Error: ")
    assert done.stderr.count("\n") == 1
    assert not (home / ".sotabench").exists()


def test_site_that_is_not_there_is_one_line(sb, environment):
    done = sb("repo", "list", env=environment | {"SOTABENCH_URL": "http://127.0.0.1:9"})
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)


def test_without_a_site_it_says_how_to_name_one(sb, environment):
    done = sb("repo", "list", env=environment | {"SOTABENCH_URL": ""})
    assert "SOTABENCH_URL" in done.stderr


@pytest.mark.parametrize("mode", [[], ["-p"]])
def test_check_passes_where_the_site_would_take_the_records(sb, checkout, mode):
    done = sb("check", *mode, cwd=checkout)
    assert (done.returncode, done.stderr) == (0, "no errors found\n")
    assert not Result.objects.exists()


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("raise SystemExit(3)", "exit code 3"),
        (WRITES.replace("0.76", "76.0"), "Top 1 Accuracy"),
        (WRITES.replace("0.76", "float('nan')"), "finite"),
    ],
)
def test_check_fails_by_its_exit_code(sb, checkout, code, said):
    (checkout / "sotabench.py").write_text(code)
    done = sb("check", cwd=checkout)
    assert done.returncode == 1
    assert said in done.stderr


def test_check_wants_the_files_of_a_repository(sb, checkout):
    (checkout / "requirements.txt").unlink()
    done = sb("check", cwd=checkout)
    assert done.returncode == 1
    assert "requirements.txt" in done.stderr


def test_run_ends_as_the_file_ends(sb, checkout):
    assert sb("run", cwd=checkout).returncode == 0
    assert json.loads((checkout / "sotabench-results.json").read_text()) == [RECORD]
    (checkout / "sotabench.py").write_text("raise SystemExit(3)")
    assert sb("run", cwd=checkout).returncode == 3


def test_records_are_submitted_for_the_commit_that_is_checked_out(sb, adas_environment, checkout, ada, live_server):
    add_known_benchmarks()
    sb("run", cwd=checkout)
    done = sb("submit", cwd=checkout, env=adas_environment)
    result = Result.objects.get()
    assert done.stdout == f"{live_server.url}/results/{result.pk}\n"
    assert str(result.repository) == "ada/vision"
    assert (result.build.commit, result.build.branch, result.tier) == (head(checkout).strip(), "trunk", "self-reported")


def test_predictions_beside_the_records_are_sent_along(sb, adas_environment, checkout):
    add_known_benchmarks()
    builder = PredictionsBuilder(classes=10)
    builder.add(["a", "b", "c"], np.eye(10)[:3])
    written = write_predictions(checkout / "kept" / "resnet.npz", builder.finish())
    named = {"name": written.name, "size": written.size, "sha256": written.sha256}
    facts = {"dataset_name": "CIFAR-10", "samples": 3, "predictions": named}
    (checkout / "kept" / "records.json").write_text(json.dumps([RECORD | facts]))
    done = sb("submit", "kept/records.json", cwd=checkout, env=adas_environment)
    assert done.returncode == 0, done.stderr
    result = Result.objects.get()
    assert result.predictions_sha256 == written.sha256
    with result.predictions.open() as kept:
        assert kept.read() == (checkout / "kept" / "resnet.npz").read_bytes()


def test_submission_that_is_refused_is_one_line(sb, adas_environment, checkout):
    sb("run", cwd=checkout)
    done = sb("submit", "--commit", "HEAD", cwd=checkout, env=adas_environment)
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert "40 hexadecimal digits" in done.stderr
    assert not Result.objects.exists()


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("https://github.com/ada/vision.git", "github.com/ada/vision"),
        ("https://ada:secret@github.com/ada/vision", "github.com/ada/vision"),
        ("ssh://git@git.example.org:2222/group/sub/vision.git", "git.example.org/group/sub/vision"),
        ("git@github.com:ada/vision.git", "github.com/ada/vision"),
    ],
)
def test_origin_names_the_repository_and_tells_no_password(checkout, url, name):
    subprocess.run(["git", "remote", "set-url", "origin", url], cwd=checkout, check=True)
    assert repository_of(checkout) == name


@pytest.mark.parametrize("url", ["/srv/git/vision.git", "../vision", "file:///srv/git/vision"])
def test_origin_that_is_on_no_host_is_refused(checkout, url):
    subprocess.run(["git", "remote", "set-url", "origin", url], cwd=checkout, check=True)
    with pytest.raises(Unusable, match="--repository"):
        repository_of(checkout)


def test_submit_without_records_says_what_writes_them(sb, checkout):
    done = sb("submit", cwd=checkout)
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert "sb run" in done.stderr


def test_submit_misses_predictions_that_are_not_beside_the_records(sb, checkout):
    named = {"predictions": {"name": "p.npz", "size": 1, "sha256": "0" * 64}}
    (checkout / "sotabench-results.json").write_text(json.dumps([RECORD | named]))
    done = sb("submit", cwd=checkout)
    assert done.returncode == 1
    assert "p.npz" in done.stderr


def test_static_page_needs_no_site_and_believes_no_record(sb, checkout, environment):
    evil = "<script>alert(1)</script>"
    records = [RECORD, RECORD | {"model": evil, "arxiv_id": f'x"{evil}', "model_description": evil}]
    (checkout / "sotabench-results.json").write_text(json.dumps(records))
    done = sb("submit", "--static", "page", cwd=checkout, env=environment | {"SOTABENCH_URL": ""})
    assert done.returncode == 0, done.stderr
    page = (checkout / "page" / "index.html").read_text()
    assert "76.000%" in page
    assert "<script" not in page
    assert "http" not in page.replace("http-equiv", "")
    assert json.loads((checkout / "page" / "records.json").read_text()) == records


def test_repositories_and_builds_are_shown(adas_sb, sb, ada, vision):
    create_build(vision, ada, commit=COMMIT, origin=Build.Origin.REQUESTED)
    assert adas_sb("repo", "get", "pytorch/vision")["name"] == "pytorch/vision"
    assert [row["name"] for row in adas_sb("repo", "list", "-o", "ada")] == ["pytorch/vision"]
    assert [row["number"] for row in adas_sb("build", "list", "pytorch/vision")] == [1]
    assert adas_sb("build", "get", "pytorch/vision", 1)["status"] == "queued"
    assert adas_sb("build", "cancel", "pytorch/vision", 1)["status"] == "cancelled"
    assert "pytorch/vision  github.com  ada" in sb("repo", "list").stdout


def test_starting_a_build_fails_with_the_sites_reason(sb, adas_environment, vision):
    withdraw_approval(vision)
    done = sb("build", "start", "pytorch/vision", "--branch", "topic", env=adas_environment)
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert "not approved" in done.stderr


def test_repository_is_connected_by_a_line_that_is_printed(sb, adas_sb, adas_environment, git_host, bob):
    url = f"http://{git_host.name}/ada/net.git"
    git_host.push("ada/net", {"sotabench.py": "print()"})
    connect_repository(bob, identity_of(url))
    done = sb("repo", "connect", url, env=adas_environment)
    assert done.returncode == 1
    line = re.search(r"sotabench-owner-[0-9a-f]{40}", done.stderr)[0]
    git_host.push("ada/net", {".sotabench-owner": line})
    said = adas_sb("repo", "connect", url)
    assert (said["proven_by"], said["username"]) == ("file", "ada")
    name = f"{git_host.name}/ada/net"
    assert adas_sb("repo", "webhook", name)["address"].endswith(f"/webhooks/{said['id']}")
    approve(Repository.objects.get())
    assert adas_sb("build", "start", name)["branch"] == "main"
    assert "cancel it first" in sb("repo", "disconnect", name, env=adas_environment).stderr


def test_benchmarks_are_shown(adas_sb, sb):
    add_known_benchmarks()
    slug = "image-classification-on-imagenet"
    assert slug in [row["slug"] for row in adas_sb("benchmark", "list", "-s", "imagenet")]
    assert adas_sb("benchmark", "get", slug)["size"] == 50_000
    assert "Top 1 Accuracy, Top 5 Accuracy" in sb("benchmark", "get", slug).stdout


@pytest.mark.parametrize("name", ["a", "a/b/c", "../b", "a/b?x", "a/%2e"])
def test_strange_names_lead_nowhere_else(sb, name):
    assert "expected" in sb("dataset", "list", name).stderr


def test_every_command_has_help():
    def commands(group):
        for command in group.commands.values():
            yield command
            if hasattr(command, "commands"):
                yield from commands(command)

    found = list(commands(main))
    assert len(found) > 15
    assert [command.name for command in found if len(command.help or "") < 15] == []


def test_log_is_followed_to_the_builds_end_and_the_build_run_again(sb, adas_sb, vision):
    build_push(vision, commit=COMMIT, branch="main")
    running = leases.claim(leases.create_runner("here")[0], slot=0)
    leases.append_log(running.token, 0, "first\n\x1b[31msecond")
    assert sb("build", "log", "pytorch/vision", "1").stdout == "first\nsecond\n"
    leases.end_attempt(running.token, Status.FAILED, reason="no")
    done = sb("build", "log", "--follow", "pytorch/vision", "1")
    assert (done.stdout, done.stderr) == ("first\nsecond\n", "failed\n")
    for options in (
        ["--json", "build", "log", "pytorch/vision", "1"],
        ["build", "log", "-f", "pytorch/vision", "1", "--json"],
    ):
        told = json.loads(sb(*options).stdout)
        assert (told["status"], told["is_over"], told["text"].splitlines()[0]) == ("failed", True, "first")
    assert adas_sb("build", "again", "--full", "pytorch/vision", 1)["number"] == 2
    assert Build.objects.get(number=2).is_full


def test_json_may_be_asked_for_behind_the_command(sb, adas_environment, benchmarks):
    for arguments in (["benchmark", "list", "--json"], ["--json", "benchmark", "list"], ["repo", "list", "--json"]):
        done = sb(*arguments, env=adas_environment)
        assert isinstance(json.loads(done.stdout), list), done.stderr


def test_token_that_the_site_does_not_know_is_said(sb, adas_environment, vision):
    done = sb("repo", "list", env=adas_environment | {"SOTABENCH_TOKEN": "sb_revoked"})
    assert (done.returncode, done.stdout) == (1, "")
    assert "expected a token of this site" in done.stderr


def test_login_without_a_terminal_says_what_to_give(sb, environment):
    done = sb("login", stdin=subprocess.DEVNULL)
    assert done.returncode == 1
    assert "SOTABENCH_PASSWORD" in done.stderr
