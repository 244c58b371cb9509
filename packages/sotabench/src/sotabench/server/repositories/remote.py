"""What a repository's git host says: the newest commit of a branch, one small file.

Over https through the guard of `outgoing`; over ssh and from folders by git in a process of its own, with an
environment that holds nothing of ours. Nothing of a stranger's is checked out here and no hook runs; git itself reads
what a host sends, which is why time and size are bounded and builds do all of this again in their sandbox.
"""

import os
import re
import shlex
import signal
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from django.conf import settings

from benchrecord import printable
from sotabench.server.errors import Invalid
from sotabench.server.folder import KNOWN_HOSTS
from sotabench.server.outgoing import Question, Unanswered, address_for, ask
from sotabench.server.repositories.models import Repository
from sotabench.server.repositories.services import check_branch
from sotabench.server.sealing import unseal

ASKING = "sotabench-git-"
"""How the folders begin, among the machine's temporary ones, in which git is asked; a killed process leaves one."""
SECONDS = 30
MOST_OF_REFS = 32 << 20
MOST_OF_FILE = 64 << 10
_FIRST_GIT = (2, 37)
_MOST_ON_DISK = 512 << 20
_COMMIT = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")
_PORTS = {"https": 443, "http": 80, "ssh": 22}


@dataclass(frozen=True)
class Head:
    """A branch and the commit that it is at."""

    branch: str
    commit: str


def branch_head(repository: Repository, branch: str) -> str:
    """The commit that the branch is at. Raises Invalid when there is no such branch, Unanswered when nobody says."""
    wanted = f"refs/heads/{check_branch(branch)}"
    if commit := _refs(repository, wanted).commits.get(wanted):
        return commit
    raise Invalid(f"expected a branch of {repository}, found none named {branch[:100]!r}")


def default_head(repository: Repository) -> Head:
    """The default branch, as the host says, and its commit. Raises Invalid for an empty repository, and Unanswered."""
    refs = _refs(repository, "HEAD")
    branch = refs.head or repository.default_branch
    commit = refs.commits.get("HEAD") or refs.commits.get(f"refs/heads/{branch}")
    if not commit:
        raise Invalid(f"expected a repository with commits, found none in {repository}; push something first")
    return Head(check_branch(branch), commit)


def read_file(repository: Repository, branch: str, name: str) -> str:
    """The text of a small file of the branch. Raises Invalid when there is none, and Unanswered."""
    with tempfile.TemporaryDirectory(prefix=ASKING) as folder:
        bare = str(Path(folder) / "bare")
        options = ["--bare", "--depth=1", "--single-branch", "--no-tags", "--filter=blob:none", "--template="]
        reach = _Reach(repository, Path(folder))
        url = repository.remote_url
        reach.git(["clone", "--quiet", *options, f"--branch={check_branch(branch)}", "--", url, bare])
        there = reach.git(["--git-dir", bare, "ls-tree", "-l", "HEAD", "--", name]).split()
        if len(there) < 5 or there[1] != "blob" or int(there[3]) > MOST_OF_FILE:
            raise Invalid(
                f"expected a file {name} of at most {MOST_OF_FILE} bytes in {branch}, found none; push it first"
            )
        return reach.git(["--git-dir", bare, "cat-file", "blob", there[2]])


@dataclass(frozen=True)
class _Refs:
    commits: Mapping[str, str]
    head: str = ""


def _refs(repository: Repository, wanted: str) -> _Refs:
    if urlsplit(repository.remote_url).scheme in {"https", "http"}:
        url = f"{repository.remote_url}/info/refs?service=git-upload-pack"
        answer = ask(Question(url, most=MOST_OF_REFS, seconds=SECONDS))
        if 300 <= answer.status < 400:
            to = printable(answer.headers.get("location", "").partition("/info/refs")[0], 200)
            raise Unanswered(
                f"expected a repository at {repository.remote_url}, found a redirect to {to}; connect that"
            )
        if not answer.is_success:
            raise Unanswered(f"expected a repository that anybody may read, found status {answer.status}")
        return parse_refs(answer.body)
    with tempfile.TemporaryDirectory(prefix=ASKING) as folder:
        text = _Reach(repository, Path(folder)).git(["ls-remote", "--symref", "--", repository.remote_url, wanted])
    return _parse_listing(text)


def parse_refs(body: bytes) -> _Refs:
    """The references in the answer of a smart git host (gitprotocol-http, version 0). Raises Unanswered."""
    lines = list(_packets(body))
    if not lines or lines[0].strip() != b"# service=git-upload-pack":
        raise Unanswered(
            "expected the answer of a git host, found something else; is this the address of a repository?"
        )
    commits, head = {}, ""
    for line in lines[1:]:
        said, _, capabilities = line.rstrip(b"\n").partition(b"\0")
        for capability in capabilities.split():
            if capability.startswith(b"symref=HEAD:refs/heads/"):
                head = capability.removeprefix(b"symref=HEAD:refs/heads/").decode("utf-8", "replace")
        commit, _, name = said.decode("utf-8", "replace").partition(" ")
        if _COMMIT.fullmatch(commit):
            commits[name] = commit
    return _Refs(commits, head)


def _packets(body: bytes) -> list[bytes]:
    """The pkt-lines of the body; flushes are left out."""
    lines, at = [], 0
    while at < len(body):
        digits = body[at : at + 4]
        if not re.fullmatch(rb"[0-9a-fA-F]{4}", digits):
            raise Unanswered("expected the answer of a git host, found something else")
        length = int(digits, 16)
        if length in {1, 2, 3} or at + length > len(body):
            raise Unanswered("expected whole lines of a git host, found one cut off")
        if length > 4:
            lines.append(body[at + 4 : at + length])
        at += max(length, 4)
    return lines


def _parse_listing(text: str) -> _Refs:
    commits, head = {}, ""
    for line in text.splitlines():
        said, _, name = line.partition("\t")
        if said.startswith("ref: refs/heads/") and name == "HEAD":
            head = said.removeprefix("ref: refs/heads/")
        elif _COMMIT.fullmatch(said):
            commits[name] = said
    return _Refs(commits, head)


class _Reach:
    """git for one repository: it speaks to that repository's host, at the address that was checked, alone."""

    def __init__(self, repository: Repository, folder: Path) -> None:
        url = urlsplit(repository.remote_url)
        self._host = url.hostname or ""
        self._folder = folder
        config = {"http.followRedirects": "false", "http.proxy": "", "credential.helper": "", "core.askPass": ""}
        self._environment = {
            "PATH": os.defpath,
            "HOME": str(folder),
            "LC_ALL": "C",
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_CONFIG_GLOBAL": os.devnull,
            "GIT_TERMINAL_PROMPT": "0",
            "GIT_ALLOW_PROTOCOL": url.scheme,
        }
        if url.scheme != "file":
            port = url.port or _PORTS[url.scheme]
            address = address_for(self._host, port)
            if url.scheme == "ssh":
                self._environment["GIT_SSH_COMMAND"] = self._ssh(repository, address, port)
            else:
                _check_git(self._environment)
                shown = f"[{address}]" if ":" in address else address
                config["http.curloptResolve"] = f"{self._host}:{port}:{shown}"
        self._environment["GIT_CONFIG_COUNT"] = str(len(config))
        for number, (key, value) in enumerate(config.items()):
            self._environment |= {f"GIT_CONFIG_KEY_{number}": key, f"GIT_CONFIG_VALUE_{number}": value}

    def git(self, arguments: Sequence[str]) -> str:
        """What git prints. Raises Unanswered with git's own last words."""
        return run_bounded(["git", *arguments], self._environment)

    def _ssh(self, repository: Repository, address: str, port: int) -> str:
        keys = getattr(repository, "keys", None) if repository.pk else None
        if keys is None or not keys.deploy_key:
            raise Invalid(f"expected a deploy key for {repository}; make one in its settings and give it to the host")
        key = self._folder / "key"
        key.touch(mode=0o600)
        key.write_text(unseal(keys.deploy_key), encoding="ascii")
        options = {
            "IdentitiesOnly": "yes",
            "BatchMode": "yes",
            "StrictHostKeyChecking": "accept-new",
            "UserKnownHostsFile": str(settings.DATA / KNOWN_HOSTS),
            "HostName": address,
            "HostKeyAlias": f"[{self._host}]:{port}",
            "ConnectTimeout": "15",
        }
        words = ["ssh", "-F", os.devnull, "-i", str(key)]
        return shlex.join([*words, *(f"-o{name}={value}" for name, value in options.items())])


def _check_git(environment: Mapping[str, str]) -> None:
    """An older git would look the name up again and could be led elsewhere."""
    found = re.search(r"(\d+)\.(\d+)", run_bounded(["git", "version"], environment))
    if found is None or (int(found[1]), int(found[2])) < _FIRST_GIT:
        raise Unanswered(
            "expected git 2.37 or newer on the server: its owner has to update it; the host's API works too"
        )


def run_bounded(command: Sequence[str], environment: Mapping[str, str], *, seconds: float = SECONDS) -> str:
    """What the command prints. Raises Unanswered with its last words, or when it takes too long or says too much.

    With it ends what it started: git's own ssh would go on waiting for a host that is silent.
    """
    blocks = str(_MOST_ON_DISK // 512)
    limited = ["sh", "-c", 'ulimit -f "$0"; exec "$@"', blocks, *command]
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        process = subprocess.Popen(  # noqa: S603 - our own words, and addresses after `--`
            limited, env=dict(environment), stdin=subprocess.DEVNULL, stdout=out, stderr=err, start_new_session=True
        )
        try:
            code = process.wait(seconds)
        except subprocess.TimeoutExpired as error:
            raise Unanswered(f"expected an answer of the git host within {seconds:g} seconds") from error
        finally:
            if process.returncode is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
        out.seek(0)
        err.seek(0)
        if code:
            last = [line for line in err.read(MOST_OF_FILE).decode("utf-8", "replace").splitlines() if line.strip()][
                -2:
            ]
            raise Unanswered(f"expected git to reach the repository, found: {printable(' '.join(last), 300)}")
        said = out.read(MOST_OF_REFS + 1)
    if len(said) > MOST_OF_REFS:
        raise Unanswered(f"expected at most {MOST_OF_REFS} bytes of git, found more")
    return said.decode("utf-8", "replace")
