"""A workplace with a real sandbox and proxy, git hosts on loopback, and small wheels made on the spot."""

import base64
import contextlib
import hashlib
import http.server
import json
import os
import shutil
import socketserver
import ssl
import subprocess
import sys
import threading
import zipfile
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from sotabench.runner.base import find_base
from sotabench.runner.egress import Egress, Rules
from sotabench.runner.package_index import NOWHERE, PackageIndex
from sotabench.runner.sandbox import Bubblewrap, Slot
from sotabench.runner.workplace import Workplace

SLOT = Slot(number=0, uid=64001, gid=64001)
OTHER_SLOT = Slot(number=1, uid=64002, gid=64002)
OWN = Slot(number=2, uid=os.geteuid(), gid=os.getegid())  # may go wherever these tests may: what Trusted needs
GIT = {
    "GIT_AUTHOR_NAME": "Ada", "GIT_AUTHOR_EMAIL": "ada@example.org", "GIT_COMMITTER_NAME": "Ada",
    "GIT_COMMITTER_EMAIL": "ada@example.org", "GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_NOSYSTEM": "1",
}  # fmt: skip


@dataclass
class Log:
    """What a build's log would hold."""

    lines: list[str] = field(default_factory=list)
    printed: bytearray = field(default_factory=bytearray)

    @property
    def text(self) -> str:
        return "\n".join(self.lines) + "\n" + self.printed.decode(errors="replace")


@pytest.fixture(scope="session")
def base(tmp_path_factory):
    return find_base(tmp_path_factory.mktemp("base"))


@pytest.fixture
def log():
    kept = Log()
    yield kept
    sys.stdout.write(kept.text)  # pytest shows it where a test fails


@pytest.fixture
def wheels(tmp_path):
    folder = tmp_path / "wheels"
    folder.mkdir()
    return folder


@pytest.fixture
def store(tmp_path):
    folder = tmp_path / "store"
    folder.mkdir()
    return folder


@pytest.fixture
def new_workplace(works, base, log, tmp_path, wheels):
    """Makes workplaces: each an attempt of its own, all with this log; every host's name leads to loopback."""

    @contextlib.contextmanager
    def proxy(rules, slot):
        # The port of a host on loopback is in its address, so what the stage lists is what the operator lists here.
        internal = Rules(internal=frozenset(rule for rule in rules.hosts if not rule.endswith(":443")))
        with Egress(
            rules | internal, slot=slot, log=log.lines.append, resolve=lambda host, port: ["127.0.0.1"]
        ) as egress:
            yield egress

    def make(name="first", slot=SLOT, **changes):
        folder = tmp_path / "attempts" / name
        folder.mkdir(parents=True)
        workplace = Workplace(
            slot=slot,
            sandbox=Bubblewrap(slot),
            folder=folder,
            kept=tmp_path / "kept" / name,
            base=base,
            index=PackageIndex({"UV_FIND_LINKS": str(wheels), "UV_DEFAULT_INDEX": NOWHERE}, (_mount(wheels),), Rules()),
            say=log.lines.append,
            output=log.printed.extend,
            stop=threading.Event(),
            proxy=lambda rules: proxy(rules, slot),
        )
        return replace(workplace, **changes)

    return make


@pytest.fixture
def workplace(new_workplace):
    return new_workplace()


@pytest.fixture
def checked_out(workplace):
    """Files as a checkout leaves them; returns the workplace."""

    def write(files, place=workplace):
        for name, text in files.items():
            path = place.repository / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        place.give(place.repository)
        return place

    return write


def _mount(folder):
    from sotabench.runner.sandbox import Mount  # noqa: PLC0415 - beside its only use

    return Mount(folder, str(folder))


@pytest.fixture
def make_wheel(wheels):
    """A wheel of one module in the folder of wheels."""

    def make(name, version="1.0", text="", requires=(), folder=wheels, further=()):
        stem = f"{name.replace('-', '_')}-{version}"
        lines = [f"Requires-Dist: {line}" for line in requires]
        files = {
            f"{name.replace('-', '_')}.py": text or f"VERSION = {version!r}\n",
            f"{stem}.dist-info/METADATA": "\n".join(
                ["Metadata-Version: 2.1", f"Name: {name}", f"Version: {version}", *lines]
            ),
            f"{stem}.dist-info/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        }
        files |= dict(further)
        record = [
            f"{path},sha256={base64.urlsafe_b64encode(hashlib.sha256(content.encode()).digest()).decode().rstrip('=')},"
            f"{len(content)}\n"
            for path, content in files.items()
        ]
        files[f"{stem}.dist-info/RECORD"] = "".join([*record, f"{stem}.dist-info/RECORD,,\n"])
        with zipfile.ZipFile(folder / f"{stem}-py3-none-any.whl", "w") as archive:
            for path, content in files.items():
                archive.writestr(path, content)

    return make


class Repository:
    """A git repository that a person works in."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True)
        self.git("init", "--quiet", "--initial-branch=main")

    def git(self, *words: str) -> str:
        done = subprocess.run(
            ["git", *words], cwd=self.folder, env=os.environ | GIT, capture_output=True, text=True, check=True
        )
        return done.stdout.strip()

    def commit(self, files: dict[str, str] | None = None, *, required: bool = True) -> str:
        asked = {"sotabench.py": "print('evaluated')\n", "requirements.txt": ""} if required else {}
        for name, text in (asked | (files or {})).items():
            path = self.folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        self.git("add", "--all")
        self.git("commit", "--quiet", "--allow-empty", "-m", "a change")
        return self.git("rev-parse", "HEAD")

    @property
    def url(self) -> str:
        return f"file://{self.folder}"


@pytest.fixture
def repository(tmp_path):
    return Repository(tmp_path / "work" / "repository")


@pytest.fixture
def other_repository(tmp_path):
    return Repository(tmp_path / "work" / "other")


class _Host(http.server.BaseHTTPRequestHandler):
    """`git http-backend` behind TLS, and Git LFS's batch call; what was asked is kept."""

    protocol_version = "HTTP/1.0"

    def do_GET(self):
        self.server.asked.append(self.path)
        if self.server.is_overloaded(self.server.asked):
            self.send_error(503)
            return
        if self.path in self.server.files:
            self.send_response(200)
            self.send_header("Content-Length", str(len(self.server.files[self.path])))
            if self.path.endswith("/"):
                self.send_header("Content-Type", "text/html")
            self.end_headers()
            if self.command == "GET":
                self.wfile.write(self.server.files[self.path])
            return
        self._git(b"")

    do_HEAD = do_GET  # noqa: N815 - the standard library calls it so

    def do_POST(self):
        self.server.asked.append(self.path)
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if self.server.is_overloaded(self.server.asked):
            self.send_error(503)
            return
        if self.path.endswith("/info/lfs/objects/batch"):
            self._batch(json.loads(body))
        else:
            self._git(body)

    def _batch(self, asked):
        objects = [
            {
                **one,
                "actions": {"download": {"href": f"https://git.test:{self.server.server_port}/objects/{one['oid']}"}},
            }
            for one in asked["objects"]
        ]
        content = json.dumps({"transfer": "basic", "objects": objects}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/vnd.git-lfs+json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def _git(self, body):
        path, _, query = self.path.partition("?")
        if self.headers.get("Content-Encoding") == "gzip":
            import gzip  # noqa: PLC0415 - rare

            body = gzip.decompress(body)
        environment = os.environ | GIT | {
            "GIT_PROJECT_ROOT": str(self.server.root), "GIT_HTTP_EXPORT_ALL": "1", "PATH_INFO": path,
            "QUERY_STRING": query, "REQUEST_METHOD": self.command, "CONTENT_LENGTH": str(len(body)),
            "CONTENT_TYPE": self.headers.get("Content-Type", ""), "GIT_PROTOCOL": self.headers.get("Git-Protocol", ""),
            "GIT_CONFIG_COUNT": "2", "GIT_CONFIG_KEY_0": "uploadpack.allowFilter", "GIT_CONFIG_VALUE_0": "true",
            "GIT_CONFIG_KEY_1": "safe.directory", "GIT_CONFIG_VALUE_1": "*",
        }  # fmt: skip
        answer = subprocess.run(["git", "http-backend"], input=body, env=environment, capture_output=True, check=False)
        head, _, content = answer.stdout.partition(b"\r\n\r\n")
        fields = [line.split(": ", 1) for line in head.decode().splitlines() if ": " in line]
        status = next((value for name, value in fields if name == "Status"), "200 OK")
        self.send_response(int(status.split()[0]))
        for name, value in fields:
            if name not in {"Status", "Content-Length"}:
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))  # so that nobody reads to TLS's end
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_):
        pass


class _Server(socketserver.ThreadingMixIn, http.server.HTTPServer):
    daemon_threads = True

    def handle_error(self, request, client_address):
        pass


@pytest.fixture(scope="session")
def certificate(tmp_path_factory):
    """For *.test, believed by whoever is given the file; and its key."""
    folder = tmp_path_factory.mktemp("certificate")
    if shutil.which("openssl") is None:
        pytest.skip("no openssl on this machine")
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=git.test",
         "-addext", "subjectAltName=DNS:git.test,DNS:other.test,DNS:weights.test,DNS:index.test",
         "-addext", "basicConstraints=critical,CA:FALSE", "-keyout", "key.pem", "-out", "all.pem"],
        cwd=folder, capture_output=True, check=True,
    )  # fmt: skip
    return folder / "all.pem", folder / "key.pem"


@pytest.fixture
def host(certificate, tmp_path):
    """A git host on loopback; repositories below `tmp_path/work` are served as /<name>."""
    server = _Server(("127.0.0.1", 0), _Host)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificate)
    server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    server.root, server.asked, server.files = tmp_path / "work", [], {}
    server.is_overloaded = lambda asked: False  # given all that was asked for, the last of it now
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join()
