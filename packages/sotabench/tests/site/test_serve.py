"""`sotabench serve` makes a whole site of an empty folder, and serves it; a real process, a real socket."""

import json
import os
import re
import signal
import socket
import sqlite3
import stat
import subprocess
import sys
import time
import urllib.error
import urllib.request

import pytest

SOTABENCH = [sys.executable, "-c", "import sys; from sotabench.site import main; sys.exit(main())"]
NO_REDIRECTS = urllib.request.build_opener(
    type("Stay", (urllib.request.HTTPRedirectHandler,), {"redirect_request": lambda *_: None})
)
SAFE_HEADERS = {
    "X-Frame-Options": "DENY",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
}
OWNER_LINE = re.compile(r"The site's owner is (\w+); the password, shown this once: (\S+)")


@pytest.fixture
def run_site(tmp_path):
    """Start the site on a free port; stops all that were started."""
    started = []

    def run(*arguments, **environment):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("SOTABENCH_", "DJANGO_"))}
        kept.pop("DATABASE_URL", None)
        log = (tmp_path / f"log-{len(started)}").open("w+")
        process = subprocess.Popen(
            [*SOTABENCH, "serve", "--data", str(tmp_path / "data"), "--port", str(port), *arguments],
            env=kept | environment, stdout=log, stderr=subprocess.STDOUT, cwd=tmp_path,
        )  # fmt: skip
        started.append((process, log))
        wait_for(f"http://127.0.0.1:{port}/healthz", process, log)
        return Site(f"http://127.0.0.1:{port}", process, log)

    yield run
    for process, log in started:
        process.kill()
        process.wait()
        log.close()


class Site:
    def __init__(self, address, process, log):
        self.address, self.process, self._log = address, process, log

    def get(self, path, **headers):
        request = urllib.request.Request(self.address + path, headers=headers)
        try:
            with NO_REDIRECTS.open(request, timeout=20) as answer:
                return answer.status, answer.headers, answer.read().decode()
        except urllib.error.HTTPError as answer:
            with answer:
                return answer.code, answer.headers, answer.read().decode()

    def log(self):
        self._log.seek(0)
        return self._log.read()

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout=20)


def wait_for(address, process, log):
    for _ in range(300):
        try:
            with urllib.request.urlopen(address, timeout=5):
                return
        except (urllib.error.URLError, ConnectionError):
            assert process.poll() is None, log.seek(0) or log.read()
            time.sleep(0.1)
    pytest.fail("the site did not start")


def wait_until_gone(path):
    for _ in range(200):
        if not path.exists():
            return
        time.sleep(0.1)
    pytest.fail("the sweeper beside the server did not look")


def test_one_command_makes_and_serves_a_site_and_prints_the_password_once(run_site, tmp_path):
    site = run_site()
    assert site.get("/healthz")[2] == '{"status": "ok"}'
    owner, password = OWNER_LINE.search(site.log()).groups()
    assert owner == "owner"
    data = tmp_path / "data"
    assert stat.S_IMODE(data.stat().st_mode) == 0o700
    assert stat.S_IMODE((data / "secret-key").stat().st_mode) == 0o600
    with sqlite3.connect(data / "database.sqlite3") as database:
        assert database.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        assert database.execute("SELECT count(*) FROM papers_reportedresult").fetchone() == (2181,)
        (hashed,) = database.execute("SELECT password FROM accounts_user").fetchone()
    database.close()
    assert hashed.startswith("argon2")
    assert password not in hashed

    status, headers, text = site.get("/accounts/login/")
    assert status == 200
    assert "csrfmiddlewaretoken" in text
    assert SAFE_HEADERS.items() <= dict(headers).items()
    policy = headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "sotabench_requests_total" in site.get("/metrics")[2]

    lines = [json.loads(line) for line in site.log().splitlines() if line.startswith("{")]
    (logged,) = [line for line in lines if line.get("path") == "/accounts/login/"]
    assert (logged["method"], logged["status"], logged["user"]) == ("GET", 200, None)

    assert site.stop() == 0
    left = data / "files" / "datasets" / "coming" / "999"
    left.mkdir(parents=True)
    os.utime(left, (0, 0))
    again = run_site(SOTABENCH_MEMBERS_ONLY="true")
    assert again.get("/benchmarks")[1]["Location"] == "/accounts/login/?next=/benchmarks"
    assert again.get("/accounts/benchmarks", SCRIPT_NAME="/accounts")[0] == 404
    assert not OWNER_LINE.search(again.log())
    assert password not in again.log()
    wait_until_gone(left)


def test_https_that_no_proxy_ends_is_refused_instead_of_redirected_for_ever(tmp_path):
    done = subprocess.run(
        [*SOTABENCH, "serve"],
        env={**os.environ, "SOTABENCH_HTTPS": "true", "SOTABENCH_BEHIND_PROXY": "false"},
        cwd=tmp_path, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert "SOTABENCH_BEHIND_PROXY" in done.stderr


def test_settings_that_make_no_sense_are_refused_in_one_line(tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", "import sys; from sotabench.site import main; sys.exit(main())", "papers", "import"],
        env={"PATH": os.environ["PATH"], "SOTABENCH_HTTPS": "perhaps"},
        cwd=tmp_path, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 1
    assert done.stderr == (
        "sotabench: expected SOTABENCH_HTTPS to be true or false, found 'perhaps'; set it to one of the two\n"
    )


def test_two_that_serve_one_folder_are_one_too_many(run_site, tmp_path):
    first = run_site("--no-runner")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    done = serve(tmp_path, "--port", str(port))
    assert (done.returncode, done.stdout) == (1, "")
    assert "another `sotabench serve`" in done.stderr
    assert done.stderr.count("\n") == 1
    first.process.kill()
    assert run_site("--no-runner").get("/healthz")[0] == 200


def test_place_where_nobody_can_listen_is_said_before_anything_is_made(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        for arguments, said in (
            (["--port", port], "already in use"),
            (["--port", port, "--host", "nobody.invalid"], "'nobody.invalid'"),
            (["--port", port, "--host", "192.0.2.7"], "annot assign"),
            (["--port", port, "--host", ""], "--host"),
        ):
            done = serve(tmp_path, *arguments)
            assert (done.returncode, done.stdout) == (1, "")
            assert said in done.stderr
            assert done.stderr.count("\n") == 1
    assert not (tmp_path / "data" / "database.sqlite3").exists()


def test_every_line_of_site_and_runner_is_json_for_programs(run_site):
    site = run_site()
    for _ in range(300):
        if "sotabench.runner" in site.log():
            break
        time.sleep(0.1)
    assert site.stop() == 0
    lines = [line for line in site.log().splitlines() if not line.startswith(("The site's owner", "Serving "))]
    assert {"sotabench.runner", "gunicorn.error"} <= {json.loads(line)["logger"] for line in lines}


def serve(folder, *arguments):
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("SOTABENCH_", "DJANGO_"))}
    return subprocess.run(
        [*SOTABENCH, "serve", "--data", str(folder / "data"), *arguments],
        env=kept | {"DATABASE_URL": ""}, cwd=folder, capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
