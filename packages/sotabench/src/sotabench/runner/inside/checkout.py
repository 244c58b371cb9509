"""Inside the sandbox: one commit of one branch, its submodules and its large files, in the current folder.

Reads what is wanted from SOTABENCH_CHECKOUT, writes `tree.json` into the folder of facts: either what was checked out
or `{"failed": sentence}` or, where the host does not answer, `{"broken": sentence}`. Git's own words go to the log.
"""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from typing import Any, Optional

WANTED = json.loads(os.environ.get("SOTABENCH_CHECKOUT", "{}"))
REMOTE = "refs/remotes/origin/"
GITLINK = "160000"
MOST_DEPTH = 10
SILENT = re.compile(
    r"Could not resolve|Failed to connect|timed out|Connection (?:refused|reset)|tunnel failed, response 50[24]|"
    r"returned error: 50|unexpected disconnect|the proxy (?:hung up|refused .* 50[24])|"
    # the same in the words of Git LFS
    r"from HTTP 50|: Bad Gateway|: Gateway Time-?out|i/o timeout|Client\.Timeout|connection reset|unexpected EOF"
)
# What a submodule on the sandbox's own loopback, which nobody can reach, makes of these.
NOWHERE = re.compile(r"(?://|@|connect to |dial tcp )(?:[\w.-]+\.)?(?:localhost|127\.0\.0\.1|\[?::1\]?)(?=[\s:/'\"])")
# What a repository may call as it likes, a submodule `timed out`.
CHOSEN = re.compile(r"'.*'|refs/\S+")
LARGE_FILES = (
    *("-c", "filter.lfs.clean=git-lfs clean -- %f", "-c", "filter.lfs.smudge=git-lfs smudge -- %f"),
    *("-c", "filter.lfs.process=git-lfs filter-process", "-c", "filter.lfs.required=true"),
)


class Unreachable(Exception):  # noqa: N818 - as it is said
    """The host does not answer, for which nobody here is to blame."""


class Failed(Exception):  # noqa: N818 - as the platform calls it
    """The sentence that the repository's owner is shown."""


def main() -> None:
    """Check out, and write down what."""
    try:
        answer = check_out(WANTED["url"], WANTED["branch"], WANTED["commit"])
    except Failed as error:
        answer = {"failed": str(error)}
    except Unreachable as error:
        answer = {"broken": str(error)}
    with open(os.path.join(WANTED["facts"], "tree.json"), "w", encoding="utf-8") as file:
        json.dump(answer, file)


def check_out(url: str, branch: str, commit: str) -> "dict[str, Any]":
    """The facts of the tree. Raises Failed, and Unreachable."""
    git("init", "--quiet", f"--object-format={'sha256' if len(commit) == 64 else 'sha1'}")
    git("remote", "add", "--", "origin", url)
    tip = fetch_tip(branch)
    if tip != commit:
        check_reachable(url, branch, commit)
        fetch_commit(branch, commit)
    git("checkout", "--quiet", "--force", "-B", "build", commit)
    listed = entries(".")
    fetch_submodules()
    fetch_large_files(listed)
    names = git("rev-parse", "HEAD", "HEAD^{tree}").split()
    return {"commit": names[0], "tree": names[1], "submodules": list(submodules(".", listed, MOST_DEPTH))}


def fetch_tip(branch: str) -> str:
    """The branch's newest commit, fetched alone."""
    reference = f"+refs/heads/{branch}:{REMOTE}{branch}"
    if not fetched("fetch", "--quiet", "--no-tags", "--depth=1", "--", "origin", reference):
        raise Failed(f"git could not fetch the branch {branch} from {WANTED['shown']}: its words are above")
    return git("rev-parse", REMOTE + branch)


def check_reachable(url: str, branch: str, commit: str) -> None:
    """Raise Failed unless the branch leads to the commit, by its history without files where the host can send that."""
    history = os.path.join(WANTED["facts"], "history.git")
    git("init", "--quiet", "--bare", f"--object-format={'sha256' if len(commit) == 64 else 'sha1'}", history)
    reference = f"refs/heads/{branch}:refs/heads/{branch}"
    there = ("--git-dir", history)
    run(*there, "remote", "add", "--", "origin", url)
    fetched(*there, "fetch", "--quiet", "--no-tags", "--filter=tree:0", "--", "origin", reference, quiet=True)
    offline = {"GIT_ALLOW_PROTOCOL": "none", "GIT_NO_LAZY_FETCH": "1"}
    found = run(*there, "merge-base", "--is-ancestor", commit, f"refs/heads/{branch}", quiet=True, variables=offline)
    shutil.rmtree(history, ignore_errors=True)
    if found.returncode:
        raise Failed(f"the branch {branch} does not lead to the commit {commit}; it may have been pushed over")


def fetch_commit(branch: str, commit: str) -> None:
    """The commit alone, or the whole branch where the host gives no commit by its name."""
    if fetched("fetch", "--quiet", "--no-tags", "--depth=1", "--", "origin", commit, quiet=True):
        return
    reference = f"+refs/heads/{branch}:{REMOTE}{branch}"
    if not fetched("fetch", "--quiet", "--no-tags", "--unshallow", "--", "origin", reference):
        raise Failed(f"git could not fetch the commit {commit} from {WANTED['shown']}: its words are above")


def fetch_submodules() -> None:
    """All of them, as deep as they go."""
    if not os.path.isfile(".gitmodules"):
        return
    update = ("submodule", "--quiet", "update", "--init", "--recursive", "--checkout", "--force")
    if not (fetched(*update, "--depth=1", quiet=True, elsewhere=True) or fetched(*update, elsewhere=True)):
        raise Failed(f"git could not fetch the submodules of {WANTED['shown']}: its words are above")


def fetch_large_files(listed: "list[tuple[str, str]]") -> None:
    """What Git LFS keeps elsewhere, where the repository says that it does."""
    names = [name for _, name in listed if name.rpartition("/")[2] == ".gitattributes"]
    if not any("filter=lfs" in content(name) for name in names):
        return
    if shutil.which("git-lfs") is None:
        print("This runner has no Git LFS: the files that it keeps stay pointers; its operator can install git-lfs")
        return
    if not fetched(*LARGE_FILES, "lfs", "pull", elsewhere=True):
        raise Failed(f"Git LFS could not fetch the large files of {WANTED['shown']}: its words are above")


def entries(folder: str) -> "list[tuple[str, str]]":
    """Mode, kind and name in git's own words, and the path, of all that the commit holds."""
    lines = [line.partition("\t") for line in git("-C", folder, "ls-tree", "-r", "-z", "HEAD").split("\0")]
    return [(facts, name) for facts, _, name in lines]


def submodules(folder: str, listed: "list[tuple[str, str]]", depth: int) -> "Iterator[list[str]]":
    """Path and commit of each that was fetched."""
    for facts, name in listed:
        path = os.path.join(folder, name)
        if facts.startswith(GITLINK) and os.path.lexists(os.path.join(path, ".git")) and depth:
            yield [os.path.relpath(path), facts.split(" ")[2]]
            yield from submodules(path, entries(path), depth - 1)


def content(name: str) -> str:
    """A small file of the tree; nothing for a link."""
    if os.path.islink(name):
        return ""
    with open(name, encoding="utf-8", errors="replace") as file:
        return file.read(1 << 16)


def fetched(*words: str, quiet: bool = False, elsewhere: bool = False) -> bool:
    """Whether git could do what takes a host; why not is in the log, unless the call is `quiet`.

    `elsewhere` is for addresses that the repository itself names. Raises Unreachable when a host does not answer.
    """
    done = run(*words, hear=True)
    lines = done.stderr.splitlines() if done.returncode and WANTED["has_network"] else []
    silent = any(SILENT.search(CHOSEN.sub("", line)) and not (elsewhere and NOWHERE.search(line)) for line in lines)
    if silent or not quiet:
        print(done.stderr, end="", flush=True)
    if silent:
        raise Unreachable(f"a host of {WANTED['shown']} does not answer: git's words are above")
    return done.returncode == 0


def git(*words: str) -> str:
    """What git answers. Raises Failed when it does not."""
    done = run(*words)
    if done.returncode:
        raise Failed(f"git {words[0]} failed: its words are above")
    return str(done.stdout).strip()


def run(
    *words: str, quiet: bool = False, hear: bool = False, variables: "Optional[Mapping[str, str]]" = None
) -> "subprocess.CompletedProcess[str]":
    """Run git with nothing but our own settings."""
    return subprocess.run(
        ["git", *words],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL if quiet else subprocess.PIPE if hear else sys.stdout.fileno(),
        env={**os.environ, **(variables or {})},
        text=True, errors="surrogateescape", check=False,
    )  # fmt: skip


if __name__ == "__main__":
    main()
