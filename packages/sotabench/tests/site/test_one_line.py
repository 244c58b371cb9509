"""What goes wrong at a command line ends with one line that says so, and never with a traceback."""

import os
import shlex
import subprocess
import sys

import pytest

from sotabench.site import database_trouble

SOTABENCH = [sys.executable, "-m", "sotabench"]
SB = [sys.executable, "-P", "-c", "from sotabench.cli import main; main(prog_name='sb')"]
SLUG = "image-classification-on-imagenet"
HEADER = "model_name,arxiv_id,paper_title,year,top1,top5,params_m,extra_training_data\n"
DATABASE = "postgresql://u:{}@127.0.0.1:{}/db{}"
CLOSED = {"SOTABENCH_URL": "http://127.0.0.1:1"}
NOT_TEXT = os.fsdecode(b"\xff")


@pytest.fixture
def called(tmp_path):
    """How a program ends in a folder with a few odd files in it, and what it says."""
    (tmp_path / "file").touch()
    (tmp_path / "header.csv").write_text('"model_name,arxiv_id\n')
    (tmp_path / "huge.csv").write_text(f"{HEADER}Net,,A Title,2016,0.8,,1e305,no\n")
    (tmp_path / "odd.ini").write_bytes(b"\xff\xfe")
    (tmp_path / "damaged").mkdir()
    (tmp_path / "damaged" / "database.sqlite3").write_bytes(b"no database" * 1000)
    (tmp_path / "torn.ini").write_text("[default\nurl = x\n")
    for name in ("psycopg", "psycopg2"):
        (tmp_path / "without" / name).mkdir(parents=True)
        (tmp_path / "without" / name / "__init__.py").write_text("raise ImportError('not installed')")

    def call(command, environment, cwd=tmp_path):
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("SOTABENCH_", "DJANGO_"))}
        kept |= {"HOME": str(tmp_path), "SOTABENCH_DATA": str(tmp_path / "data"), "DATABASE_URL": ""}
        if environment.pop("WITHOUT", None):
            kept["PYTHONPATH"] = os.pathsep.join([str(tmp_path / "without"), kept.get("PYTHONPATH", "")])
        return subprocess.run(
            command, env=kept | environment, cwd=cwd, capture_output=True, text=True, check=False, timeout=60
        )

    return call


@pytest.mark.parametrize(
    ("arguments", "environment", "said"),
    [
        (["benchmarks", "list"], {"DATABASE_URL": "postgresql://u:pa/ss@h/db"}, "DATABASE_URL"),
        (["benchmarks", "list"], {"DATABASE_URL": DATABASE.format("p", 99999, "")}, "DATABASE_URL"),
        (["benchmarks", "list"], {"DATABASE_URL": "postgresql://u:pass@[::1/db"}, "DATABASE_URL"),
        (["benchmarks", "list"], {"DATABASE_URL": DATABASE.format("p", 1, "?nosuch=1")}, "nosuch"),
        (
            ["benchmarks", "list"],
            {"DATABASE_URL": DATABASE.format("p", 1, ""), "WITHOUT": "yes"},
            "sotabench[postgres]",
        ),
        (["runners", "list"], {"DATABASE_URL": DATABASE.format("p", 1, "")}, "database"),
        (["benchmarks", "list"], {"SOTABENCH_DATA": "file"}, "expected a folder for the site at file"),
        (["benchmarks", "list"], {"SOTABENCH_DATA": "file/below"}, "--data"),
        (["benchmarks", "list"], {"SOTABENCH_DATA": "damaged"}, "restore"),
        (["backup", "b.tar.gz"], {"SOTABENCH_DATA": "damaged"}, "not a database"),
        (["benchmarks", "labels", SLUG, "none.csv"], {}, "expected a CSV file at none.csv"),
        (["benchmarks", "labels", "."], {}, "found less"),
        (["papers", "import", "."], {}, "found a folder"),
        (["papers", "import", "none.csv"], {}, "none.csv, the file: expected a readable file, found: No such file"),
        (["restore", "none.tar.gz"], {}, "none.tar.gz"),
        (["restore", "."], {}, "found"),
        (["benchmarks", "list"], {"SOTABENCH_HELP_URL": "http://[::1"}, "SOTABENCH_HELP_URL"),
        (["settings"], {"SOTABENCH_URL_PUBLIC": "https://"}, "SOTABENCH_URL_PUBLIC"),
        (["settings"], {"SOTABENCH_KEEP_DAYS": "999999"}, "SOTABENCH_KEEP_DAYS to be a whole number from 1 to 36500"),
        (["settings"], {"SOTABENCH_RERUN_AFTER_DAYS": "9" * 5000}, "SOTABENCH_RERUN_AFTER_DAYS"),
        (["settings"], {"SOTABENCH_LEASE_SECONDS": "-1"}, "found '-1'"),
        (["settings"], {"SOTABENCH_LOG": "yaml"}, "json or text"),
        (["settings"], {"SOTABENCH_SIGNUP": "perhaps"}, "true, oidc or false"),
        (["settings"], {"SOTABENCH_HOSTS": "a.org,https://b.org"}, "found 'https://b.org'"),
        (["settings"], {"SOTABENCH_HOSTS": "a.org:8000"}, "without scheme and port"),
        (["settings"], {"SOTABENCH_INTERNAL_HOSTS": "git.lan"}, "host:port"),
        (["settings"], {"SOTABENCH_DEFAULT_HOST": "https://github.com"}, "SOTABENCH_DEFAULT_HOST"),
        (["settings"], {"SOTABENCH_EMAIL_HOST": "smtp.lan:25"}, "SOTABENCH_EMAIL_HOST"),
        (["settings"], {"SOTABENCH_GITHUB_ID": "x"}, "SOTABENCH_GITHUB_SECRET"),
        (["settings"], {"SOTABENCH_OIDC_ID": "x"}, "SOTABENCH_OIDC_URL"),
        (["papers", "import", "header.csv"], {}, "header.csv"),
        (["papers", "import", "huge.csv"], {}, "params_m"),
        (["serve", "--port", "99999"], {}, "99999"),
        (["serve", "--port", "-1"], {}, "-1"),
        (["serve", "--threads", "0"], {}, "from 1 to 1000"),
        (["serve", "--owner", NOT_TEXT], {}, "expected a name"),
        (["serve", "--owner", "a\nb"], {}, "expected a name"),
        (["runner", "--url", "http://localhost:80a"], {"SOTABENCH_RUNNER_TOKEN": "x"}, "80a"),
        (["runner", "--url", "ftp://localhost"], {"SOTABENCH_RUNNER_TOKEN": "x"}, "ftp://localhost"),
        (["runner"], {"SOTABENCH_RUNNER_TOKEN": "a\nb"}, "SOTABENCH_RUNNER_TOKEN"),
        (["runner"], {"SOTABENCH_RUNNER_TOKEN": "x", "SOTABENCH_RUNNER_SLOTS": "9" * 5000}, "SOTABENCH_RUNNER_SLOTS"),
        (["doctor"], {"SOTABENCH_RUNNER_UID": "99999999999"}, "SOTABENCH_RUNNER_UID"),
        (["doctor"], {"SOTABENCH_RUNNER_HOURS": "99999"}, "from 1 to 8760"),
        (["doctor"], {"SOTABENCH_KNOWN_HOSTS": "none"}, "SOTABENCH_KNOWN_HOSTS"),
        (["doctor"], {"SOTABENCH_CERTIFICATES": "none"}, "SOTABENCH_CERTIFICATES"),
        (
            ["runner"],
            {"SOTABENCH_RUNNER_TOKEN": "x", "SOTABENCH_INTERNAL_HOSTS": "git.lan"},
            "SOTABENCH_INTERNAL_HOSTS",
        ),
        (["runner"], {"SOTABENCH_RUNNER_TOKEN": "x", "SOTABENCH_GIT_HOSTS": "https://a.org"}, "SOTABENCH_GIT_HOSTS"),
    ],
)
def test_sotabench_says_in_one_line_what_is_wrong(called, arguments, environment, said):
    done = called([*SOTABENCH, *arguments], dict(environment))
    assert done.returncode in {1, 2}, done.stderr
    assert "Traceback" not in done.stderr
    assert said in done.stderr
    lines = [line for line in done.stderr.splitlines() if not line.startswith(("usage:", " "))]
    assert len(lines) == 1, done.stderr
    assert "pa/ss" not in done.stderr
    assert "'pa'" not in done.stderr


@pytest.mark.parametrize(
    ("arguments", "environment", "said"),
    [
        (["repo", "list"], {"SOTABENCH_URL": "http://localhost:80a"}, "SOTABENCH_URL"),
        (["repo", "list"], {"SOTABENCH_URL": "http://localhost:99999"}, "SOTABENCH_URL"),
        (["repo", "list"], {"SOTABENCH_URL": "http://xn--/"}, "xn--"),
        (["repo", "list"], {"SOTABENCH_URL": "http://a..b"}, "a..b"),
        (["repo", "list"], {"SOTABENCH_URL": "https://example.org", "SSL_CERT_FILE": "/none"}, "No such file"),
        (["repo", "list"], {"SOTABENCH_CONFIG": "odd.ini"}, "odd.ini"),
        (["repo", "list"], {"SOTABENCH_CONFIG": "torn.ini"}, "torn.ini"),
        (["repo", "list"], {"SOTABENCH_CONFIG": "~nobody-of-this-name/x"}, "~nobody"),
        (["repo", "list"], {"HOME": ""}, "SOTABENCH_URL"),
        (["repo", "get", f"{NOT_TEXT}/b"], CLOSED, "expected"),
        (["benchmark", "list", "--search", NOT_TEXT], CLOSED, "expected"),
        (["dataset", "upload", "a/b", "file", NOT_TEXT], CLOSED, "expected"),
    ],
)
def test_sb_says_in_one_line_what_is_wrong(called, arguments, environment, said):
    done = called([*SB, *arguments], dict(environment))
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert said in done.stderr
    assert len(done.stderr.splitlines()) == 1, done.stderr


def test_sb_in_a_folder_that_is_gone(called, tmp_path):
    gone = tmp_path / "gone"
    gone.mkdir()
    leave = f"import os; os.chdir({str(gone)!r}); os.rmdir({str(gone)!r}); "
    script = leave + "from sotabench.cli import main; main(['check'], prog_name='sb')"
    done = called([*SB[:-1], script], {})
    assert (done.returncode, "Traceback" in done.stderr) == (1, False), done.stderr


@pytest.mark.parametrize("arguments", [["runners", "list"], ["runners", "add", "x"], ["sweep"], ["drain", "show"]])
def test_command_before_the_first_start_finds_its_tables(called, arguments):
    done = called([*SOTABENCH, *arguments], {"SOTABENCH_LOG": "text"})
    assert done.returncode == 0, done.stderr
    assert "failed" not in done.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        ["papers", "import", "--data", "site", "card.yaml"],
        ["papers", "--data", "site", "import", "card.yaml"],
        ["papers", "import", "card.yaml", "--data", "site"],
        ["--data", "site", "papers", "import", "card.yaml"],
        ["datasets", "--path", "none", "remove", "--data", "site", "imagenet"],
        ["manage", "changepassword", "nobody", "--data", "site"],
        ["manage", "--data=site", "changepassword", "nobody"],
    ],
)
def test_options_stand_anywhere(called, tmp_path, arguments):
    (tmp_path / "card.yaml").write_text("- none\n")
    done = called([*SOTABENCH, *arguments], {"SOTABENCH_DATA": "other"})
    assert done.returncode == 1, done.stderr
    assert "usage" not in done.stderr
    assert (tmp_path / "site" / "secret-key").exists()
    assert not (tmp_path / "other").exists()


@pytest.mark.parametrize("command", [["settings"], ["benchmarks", "list"], ["manage", "help"]])
def test_reader_that_has_gone_is_no_error_to_speak_of(called, command):
    piped = f"{shlex.join([*SOTABENCH, *command])} | true; echo ${{PIPESTATUS[0]}}"
    done = called(["bash", "-c", piped], {})
    assert (done.stdout, done.stderr) in {("1\n", ""), ("0\n", "")}


def test_question_without_a_terminal_is_one_line(called):
    called([*SOTABENCH, "manage", "migrate", "-v", "0"], {})
    ada = ["createsuperuser", "--noinput", "--username", "ada", "--email", "a@example.org"]
    made = called([*SOTABENCH, "manage", *ada], {})
    assert made.returncode == 0, made.stderr
    asked = shlex.join([*SOTABENCH, "manage", "changepassword", "ada"])
    done = called(["setsid", "-w", "bash", "-c", f"{asked} < /dev/null"], {})
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert "run it in a terminal" in done.stderr.splitlines()[-1]


FULL = """
import resource, sys
resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
from sotabench.site import main
sys.exit(main(["settings"]))
"""


def test_folder_on_a_full_disk_keeps_no_half_of_a_secret(called, tmp_path):
    done = called([sys.executable, "-c", FULL], {})
    assert done.returncode == 1
    assert "expected a folder for the site" in done.stderr
    assert [one.name for one in (tmp_path / "data").iterdir()] == ["files"]


def test_database_on_a_full_disk_says_how_much_is_left(tmp_path):
    said = "disk I/O error"
    full = database_trouble(said, tmp_path, free=2048)
    assert full.endswith(f"; the disk of {tmp_path} has 2 KiB left: make room")
    assert database_trouble(said, tmp_path, free=1 << 30) == f"expected the database to answer, found: {said}"
