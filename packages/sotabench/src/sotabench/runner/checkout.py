"""The first stage: exactly one commit of a repository, fetched inside the sandbox.

Git runs with our settings alone (`inside/gitconfig`): no hooks, templates, filters, helpers. It reaches the
repository's own host and those that the operator named, through the proxy. A deploy key lies in a folder of this stage
alone. What is *not* stopped: a repository that is large within the limits.
"""

import contextlib
import fcntl
import json
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from benchrecord import printable
from benchrecord.errors import BenchRecordError
from benchrecord.files import read_strangers_file
from sotabench.errors import Broken, Failed
from sotabench.runner.egress import Rules
from sotabench.runner.egress.rules import normal_host
from sotabench.runner.inside_files import inside_mount
from sotabench.runner.sandbox import Limits, Mount, Task, entries_below, remove
from sotabench.runner.workplace import FACTS, INSIDE, REPOSITORY, Workplace, check_ended

REQUIRED = ("sotabench.py", "requirements.txt")
NO_HOSTS = Rules()
LIMITS = Limits(seconds=900, memory=4 << 30, disk=10 << 30, files=300_000, processes=200, file_size=5 << 30)
# Hosts that keep large files for another one.
LARGE_FILES = {
    "github.com": ("github-cloud.githubusercontent.com", "github-cloud.s3.amazonaws.com"),
    "huggingface.co": ("cdn-lfs.huggingface.co", "cdn-lfs-us-1.hf.co", "cdn-lfs-eu-1.hf.co"),
}
_KEY, _SOURCE = "/work/key", "/work/source"
_MOST_FACTS, _MOST_WORDS = 4 << 20, 8 << 10
_COMMIT = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_BRANCH = re.compile(r"(?![-/.])(?!.*(?:\.\.|//|@\{|\.lock(?:/|$)|/\.|[/.]$))[^\x00-\x20\x7f~^:?*\[\\]{1,250}")
_SCP = re.compile(r"(?P<user>\w[\w.-]*)@(?P<host>\w[\w.-]*):(?P<path>(?!/)\S+)")


@dataclass(frozen=True)
class Source:
    """What to check out, and with whose means. `known_hosts` is a file of the runner's that grows by first use."""

    url: str
    branch: str
    commit: str
    by_operator: bool = False  # a `file` URL is the operator's alone
    hosts: Rules = NO_HOSTS  # that submodules and large files may lie on, beside the repository's own
    key: str = field(default="", repr=False)  # the private deploy key
    known_hosts: Path | None = None
    pinned: str = field(default="", repr=False)  # the operator's lines for known_hosts: then no others are believed


@dataclass(frozen=True)
class Tree:
    """What was checked out."""

    commit: str
    tree: str  # git's own name of all the files
    submodules: tuple[tuple[str, str], ...]  # path and commit
    size: int  # bytes, git's own folder included


@dataclass(frozen=True)
class _Address:
    scheme: str
    host: str
    port: int


def check_out(workplace: Workplace, source: Source, limits: Limits = LIMITS) -> Tree:
    """The commit's files in the workplace's repository folder.

    Raises Failed when the branch does not lead to it, when git cannot fetch it, or when a required file is missing;
    Broken when the host does not answer.
    """
    address = _address(source)
    for folder in (workplace.repository, workplace.facts):
        remove(folder)
        workplace.give(folder)
    with _means(workplace, source, address) as (mounts, variables, rules), _network(workplace, rules) as network:
        trust, trusting = workplace.trusting()
        outcome = workplace.run(
            Task(
                command=[str(workplace.base.python), "-I", f"{INSIDE}/checkout.py"],
                folder=REPOSITORY,
                mounts=[
                    *workplace.base.mounts,
                    *trust,
                    inside_mount(),
                    Mount(workplace.repository, REPOSITORY, writable=True),
                    Mount(workplace.facts, FACTS, writable=True),
                    *mounts,
                ],
                environment={**trusting, **variables},
                limits=limits,
                network=network,
            )
        )
        check_ended(outcome, "checkout")
    return _found(workplace)


def _address(source: Source) -> _Address:
    if not _COMMIT.fullmatch(source.commit):
        raise Failed(f"expected the full name of a commit, found {source.commit!r}")
    if not _BRANCH.fullmatch(source.branch):
        raise Failed(f"expected the name of a branch, found {source.branch!r}")
    if found := _SCP.fullmatch(source.url):
        return _Address("ssh", found["host"].lower(), 22)
    try:
        parts = urlsplit(source.url)
        port = parts.port
    except ValueError as error:
        raise Failed(f"expected an address with https or ssh, found {source.url!r}: {error}") from error
    if parts.scheme == "file":
        if not source.by_operator:
            raise Failed("expected an address with https or ssh, found a folder of this machine")
        return _Address("file", "", 0)
    host = normal_host(parts.hostname or "")
    if parts.scheme not in {"https", "ssh"} or host is None:
        raise Failed(f"expected an address with https or ssh, found {source.url!r}")
    return _Address(parts.scheme, host, port or (443 if parts.scheme == "https" else 22))


@contextlib.contextmanager
def _network(workplace: Workplace, rules: Rules) -> Iterator[Path | None]:
    if rules == NO_HOSTS:
        yield None
        return
    with workplace.proxy(rules) as egress:
        yield egress.socket


@contextlib.contextmanager
def _means(
    workplace: Workplace, source: Source, address: _Address
) -> Iterator[tuple[list[Mount], dict[str, str], Rules]]:
    """Mounts, variables and hosts; what is secret is gone afterwards."""
    url, mounts, protocols = source.url, [], "https:ssh"
    rules = source.hosts | Rules.of(LARGE_FILES.get(address.host, ()))
    if address.scheme == "file":
        mounts.append(Mount(_local(source.url), _SOURCE))
        url, protocols = _SOURCE, "file:https:ssh"
    else:
        rules |= Rules.of([f"{address.host}:{address.port}"])
    wanted = {
        "url": url,
        "branch": source.branch,
        "commit": source.commit,
        "shown": _shown(source.url),
        "facts": FACTS,
        "has_network": rules != NO_HOSTS,
    }
    variables = {
        "SOTABENCH_CHECKOUT": json.dumps(wanted),
        "GIT_ALLOW_PROTOCOL": protocols,
        "GIT_CONFIG_GLOBAL": f"{INSIDE}/gitconfig",
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_ATTR_NOSYSTEM": "1",
        "GIT_TERMINAL_PROMPT": "0",
    }
    secrets = workplace.folder / "key"
    remove(secrets)
    try:
        if address.scheme == "ssh" or source.key:
            mounts.append(_secrets(workplace, source, secrets))
            variables["GIT_SSH_COMMAND"] = _ssh(workplace, source)
        yield mounts, variables, rules
        if source.known_hosts is not None and not source.pinned and secrets.exists():
            _remember(source.known_hosts, secrets / "known_hosts")
    finally:
        remove(secrets)


def _local(url: str) -> Path:
    folder = Path(urlsplit(url).path)
    if not folder.is_dir():
        raise Broken(f"expected a git repository at {folder}, found no folder there")
    return folder


def _shown(url: str) -> str:
    """Without what may be a secret."""
    return re.sub(r"(?<=://)[^/@]*@", "", url)


def _secrets(workplace: Workplace, source: Source, folder: Path) -> Mount:
    folder.mkdir(mode=0o700)
    known = source.pinned
    if not known and source.known_hosts is not None and source.known_hosts.exists():
        known = source.known_hosts.read_text(encoding="utf-8")
    for name, text in (("id", source.key), ("known_hosts", known)):
        descriptor = os.open(folder / name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text.rstrip("\n") + "\n" if text else "")
    workplace.give(folder)
    return Mount(folder, _KEY, writable=not source.pinned)


def _ssh(workplace: Workplace, source: Source) -> str:
    options = {
        "IdentitiesOnly": "yes",
        "BatchMode": "yes",
        "StrictHostKeyChecking": "yes" if source.pinned else "accept-new",
        "UserKnownHostsFile": f"{_KEY}/known_hosts",
        "GlobalKnownHostsFile": "/dev/null",
        "HashKnownHosts": "no",
        "ProxyCommand": f"'{workplace.base.python} -I {INSIDE}/tunnel.py %h %p'",
    }
    return " ".join(["ssh", "-F", "/dev/null", "-i", f"{_KEY}/id", *(f"-o {n}={v}" for n, v in options.items())])


def _remember(kept: Path, seen: Path) -> None:
    """Add hosts that were met for the first time; what is known of a host already stays."""
    lines = read_strangers_file(seen, limit=1 << 20, error=BenchRecordError).decode(errors="replace").splitlines()
    with kept.open("a+", encoding="utf-8") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        file.seek(0)
        known = {line.split(" ", 1)[0] for line in file.read().splitlines()}
        new = [line for line in lines if len(line.split(" ")) == 3 and line.split(" ", 1)[0] not in known]
        file.write("".join(f"{line}\n" for line in new))


def _found(workplace: Workplace) -> Tree:
    try:
        answer: Mapping[str, object] = json.loads(
            read_strangers_file(workplace.facts / "tree.json", limit=_MOST_FACTS, error=BenchRecordError)
        )
        if "broken" in answer:
            raise Broken(printable(str(answer["broken"]), _MOST_WORDS))
        if "failed" in answer:
            raise Failed(printable(str(answer["failed"]), _MOST_WORDS))
        tree = Tree(
            commit=str(answer["commit"]),
            tree=str(answer["tree"]),
            submodules=tuple((printable(path, _MOST_WORDS), str(commit)) for path, commit in answer["submodules"]),  # type: ignore[attr-defined]  # checked by the except below
            size=_size(workplace.repository),
        )
    except (BenchRecordError, ValueError, KeyError, TypeError) as error:
        raise Failed("git did not come to an end; its words are above") from error
    _check_files(workplace)
    return tree


def _check_files(workplace: Workplace) -> None:
    root = workplace.repository.resolve()
    places = [(name, root / name) for name in REQUIRED]
    missing = [name for name, place in places if not _is_file_in(root, place)]
    if missing:
        raise Failed(f"expected {' and '.join(REQUIRED)} at the root of the repository, found no {missing[0]}")
    data = workplace.repository / ".data"
    if data.is_symlink() or (data.exists() and not data.is_dir()):
        data.unlink()
        workplace.say("The repository's own .data is no folder: it was removed, for the data sets lie there")


def _is_file_in(root: Path, place: Path) -> bool:
    """Whether it is, or leads to, a file in the folder; a link may lead to what cannot be looked for."""
    try:
        return place.is_file() and place.resolve().is_relative_to(root)
    except OSError:
        return False


def _size(folder: Path) -> int:
    files = (entry for entry in entries_below(folder) if entry.is_file(follow_symlinks=False))
    return sum(entry.stat(follow_symlinks=False).st_size for entry in files)
