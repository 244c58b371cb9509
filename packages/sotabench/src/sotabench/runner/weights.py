"""The fourth stage: the file runs once to look at its arguments only, so that it fetches its weights.

It has the network, to hosts that publish weights, and no data. What it fetches stays in a cache of that repository's
own. Sizes and digests are measured here, from the files; the addresses are what the process says of itself.
Whatever it leaves is measured, in the caches or in checkout and home, for the results depend on it: it may be code.
"""

import json
import os
import stat
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path, PurePosixPath
from urllib.parse import urlsplit, urlunsplit

from benchrecord import printable
from benchrecord.errors import BenchRecordError
from benchrecord.files import read_strangers_file, replace_file
from sotabench.errors import Failed
from sotabench.runner.checkout import Tree
from sotabench.runner.egress import Rules
from sotabench.runner.environment import Environment
from sotabench.runner.kept import TooMuchLeft, emptied_if_too_much, is_too_much
from sotabench.runner.locks import held
from sotabench.runner.sandbox import Ended, Limits, Mount, Outcome, Task, open_folder, remove
from sotabench.runner.traces import Reader, State, state, states, walk
from sotabench.runner.workplace import CACHE, FACTS, HOME, REPOSITORY, Workplace

LIMITS = Limits(seconds=3600, memory=16 << 30, disk=60 << 30, files=200_000, processes=512, file_size=30 << 30)
# Where weights are published; the operator's list takes its place.
HOSTS = Rules.of(
    [
        "download.pytorch.org", "github.com", "codeload.github.com", "api.github.com", "raw.githubusercontent.com",
        "objects.githubusercontent.com", "release-assets.githubusercontent.com", "media.githubusercontent.com",
        "huggingface.co", "*.huggingface.co", "*.hf.co", "dl.fbaipublicfiles.com", "storage.googleapis.com",
        "drive.google.com", "drive.usercontent.google.com", "docs.google.com", "www.dropbox.com",
        "*.dl.dropboxusercontent.com", "zenodo.org", "data.lip6.fr",
    ]
)  # fmt: skip
VARIABLES = {
    "TORCH_HOME": f"{CACHE}/torch",
    "HF_HOME": f"{CACHE}/huggingface",
    "XDG_CACHE_HOME": f"{HOME}/.cache",
    "KERAS_HOME": f"{CACHE}/keras",
    "TFHUB_CACHE_DIR": f"{CACHE}/tfhub",
    "MPLCONFIGDIR": "/tmp/matplotlib",  # noqa: S108 - the sandbox's own
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "HF_HUB_DISABLE_XET": "1",  # its transfers ask other hosts and tell Python nothing
}
MOST_FILES = 20_000
_MOST_NAME = 8 << 10  # characters: more than any path, with every one of them escaped
_SMALL = 64 << 10  # bytes; a file that no address is known for and that is smaller is source, or a lock
_MOST_NOTES = 16 << 20
_NEW_EACH_TIME = ("repository/", "home/")

_Found = tuple[str, Path, os.stat_result]


@dataclass(frozen=True)
class Fetched:
    """A file that the repository's code left. `url` is the process's own word, or nothing."""

    url: str
    size: int
    sha256: str
    path: str  # below the cache; else `.cache/...`, `home/...` or `repository/...`; what is no text as its escape
    state: State = (0, 0, 0)
    is_link: bool = False

    @property
    def is_fetched(self) -> bool:
        """Whether it is shown: neither small source, nor a lock, nor a link."""
        return not self.is_link and (bool(self.url) or self.size >= _SMALL)


def fetch_weights(
    workplace: Workplace,
    environment: Environment,
    tree: Tree,
    *,
    hosts: Rules = HOSTS,
    limits: Limits = LIMITS,
    devices: Sequence[Path] = (),
) -> list[Fetched]:
    """What lies in the repository's caches, and is new in its checkout, once its file has run without data.

    A file with its own loop fails there, for want of data, and what it fetched until then is kept. Where the same files
    in the same environment came to their end before, nothing runs. Raises Failed when it takes too much disk, and the
    caches are empty then.
    """
    workplace.kept.mkdir(parents=True, exist_ok=True)
    manifest = workplace.kept / "weights.json"
    build = [tree.tree, [list(one) for one in tree.submodules], environment.key]
    with held(workplace.kept / "weights.lock", workplace.stop), emptied_if_too_much(*caches(workplace)):
        known, before = _known(manifest)
        if known == build and _unchanged(workplace, before):
            shown = sum(one.is_fetched for one in before)
            workplace.say(f"Weights: {shown} files, fetched by an earlier build of these files")
            return before
        task = _task(workplace, environment, limits, devices)
        workplace.give(cache_folder(workplace), _hidden_cache(workplace), workplace.home)
        there = {prefix: states(_roots(workplace)[prefix][1]) for prefix in _NEW_EACH_TIME}
        well = _run(workplace, task, hosts)
        fetched = _measure(workplace, before, there, Reader(limits.disk, workplace.stop))
        replace_file(
            manifest, json.dumps({"build": build if well else None, "files": [asdict(one) for one in fetched]}).encode()
        )
    _say(workplace, fetched)
    return fetched


def _task(workplace: Workplace, environment: Environment, limits: Limits, devices: Sequence[Path]) -> Task:
    """Without a network: whoever runs it has the proxy."""
    return Task(
        command=[environment.python, "sotabench.py"],
        folder=REPOSITORY,
        mounts=_mounts(workplace, environment),
        environment=_variables(workplace, environment),
        limits=limits,
        devices=devices,
    )


def _say(workplace: Workplace, fetched: Sequence[Fetched]) -> None:
    for one in filter(lambda one: one.is_fetched, fetched):
        workplace.say(
            f"Weights: {one.path}, {one.size} bytes, sha256 {one.sha256}, from {one.url or 'an unknown place'}"
        )


def cache_folder(workplace: Workplace) -> Path:
    """What of this repository's builds is seen as CACHE."""
    return workplace.kept / "weights"


def caches(workplace: Workplace) -> tuple[Path, Path]:
    """All that this repository's builds fetched and left to the next ones."""
    return cache_folder(workplace), _hidden_cache(workplace)


def cache_mounts(workplace: Workplace, *, writable: bool) -> tuple[Mount, Mount]:
    """The cache, and the folder that programs take for one without being told, both of this repository alone."""
    return (
        Mount(cache_folder(workplace), CACHE, writable=writable),
        Mount(_hidden_cache(workplace), f"{HOME}/.cache", writable=writable),
    )


def prepare_caches(workplace: Workplace, name: str) -> None:
    """Let both be there, the hidden one with a folder of that name in which another can be mounted."""
    for folder in caches(workplace):
        folder.mkdir(parents=True, exist_ok=True)
    open_folder(_hidden_cache(workplace))  # an earlier build may have closed it
    place = _hidden_cache(workplace) / name
    if place.is_symlink() or (place.exists() and not place.is_dir()):
        place.unlink()
    place.mkdir(exist_ok=True)
    workplace.give(place)


def _hidden_cache(workplace: Workplace) -> Path:
    return workplace.kept / "hidden"


def _roots(workplace: Workplace) -> dict[str, tuple[str, Path]]:
    """By what the names of their files begin with: where each folder is seen, and where it is."""
    return {
        "repository/": (REPOSITORY, workplace.repository),
        ".cache/": (f"{HOME}/.cache", _hidden_cache(workplace)),
        "home/": (HOME, workplace.home),
        "": (CACHE, cache_folder(workplace)),
    }


def _mounts(workplace: Workplace, environment: Environment) -> list[Mount]:
    trust, _ = workplace.trusting()
    return [
        *environment.mounts,
        *trust,
        Mount(workplace.repository, REPOSITORY, writable=True),
        Mount(workplace.home, HOME, writable=True),
        *cache_mounts(workplace, writable=True),
        Mount(workplace.facts, FACTS, writable=True),
    ]


def _variables(workplace: Workplace, environment: Environment) -> dict[str, str]:
    _, trusting = workplace.trusting()
    return {
        **trusting,
        **environment.variables,
        **VARIABLES,
        "HOME": HOME,
        "PYTHONDONTWRITEBYTECODE": "1",  # it would be new in the checkout, and other bytes each time
        "PYTHONUNBUFFERED": "1",
        "SOTABENCH_SERVER": "true",
        "SOTABENCH_CHECK": "params",
        "SOTABENCH_FETCHES": f"{FACTS}/fetches.jsonl",
        "TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD": "1",
    }


def _run(workplace: Workplace, task: Task, hosts: Rules) -> bool:
    """Whether it came to its end; otherwise there may be more to fetch, were it only that a host was silent."""
    remove(workplace.facts)  # the setup script may have left anything there
    workplace.give(workplace.facts)
    with workplace.proxy(hosts) as egress:
        outcome = workplace.run(replace(task, network=egress.socket))
    _judge(workplace, outcome)
    return outcome.well


def _judge(workplace: Workplace, outcome: Outcome) -> None:
    if is_too_much(outcome):
        raise TooMuchLeft(f"fetching weights: {outcome.reason}")
    if outcome.ended is Ended.STOPPED:
        raise Failed(f"fetching weights: {outcome.reason}")
    if not outcome.well:
        workplace.say(
            f"The file {outcome.reason} while it ran without data: normal for a file with its own loop. "
            "What it fetched is kept; a model that is fetched only after that point cannot be had later on"
        )


def _known(manifest: Path) -> tuple[object, list[Fetched]]:
    """Which build wrote it, and what that one found."""
    try:
        whole = json.loads(manifest.read_bytes())
        return whole["build"], [Fetched(**{**one, "state": tuple(one["state"])}) for one in whole["files"]]
    except (OSError, ValueError, KeyError, TypeError):
        return None, []


def _unchanged(workplace: Workplace, before: Sequence[Fetched]) -> bool:
    """Whether every file is as it was measured, and none came; one in a checkout or home, new each time, is not."""
    if any(one.path.startswith(_NEW_EACH_TIME) for one in before):
        return False
    now = {printable(shown, _MOST_NAME): state(facts) for shown, _, facts in _cached(workplace)}
    return {one.path: one.state for one in before} == now


def _measure(
    workplace: Workplace, before: Sequence[Fetched], there: Mapping[str, Mapping[str, State]], reader: Reader
) -> list[Fetched]:
    """All that is in the caches, and what is not as it was `there` in checkout and home."""
    said = _said(workplace)
    earlier = {(one.path, one.sha256): one.url for one in before}
    same = {(one.path, one.state): one for one in before}
    found = []
    for shown, path, facts in (*_cached(workplace), *_changed(workplace, there)):
        name = printable(shown, _MOST_NAME)
        known = same.get((name, state(facts)))
        sha256 = known.sha256 if known else reader.digest(path, facts)
        url = said.get(shown) or earlier.get((name, sha256), "")
        found.append(Fetched(url, facts.st_size, sha256, name, state(facts), stat.S_ISLNK(facts.st_mode)))
        if len(found) > MOST_FILES:
            raise TooMuchLeft(f"expected at most {MOST_FILES} files in the caches, found more")
    return sorted(found, key=lambda one: one.path)


def _cached(workplace: Workplace) -> Iterator[_Found]:
    for prefix in ("", ".cache/"):
        folder = _roots(workplace)[prefix][1]
        try:
            for name, path, facts in walk(folder):
                yield prefix + name, path, facts
        except Failed as error:  # no later build could be rid of it
            raise TooMuchLeft(str(error)) from error


def _changed(workplace: Workplace, there: Mapping[str, Mapping[str, State]]) -> Iterator[_Found]:
    for prefix, before in there.items():
        for name, path, facts in walk(_roots(workplace)[prefix][1]):
            if before.get(name) != state(facts):
                yield prefix + name, path, facts


def _said(workplace: Workplace) -> dict[str, str]:
    """The address of each file, as the process noted it while it ran; where it lies in the end."""
    try:
        notes = read_strangers_file(workplace.facts / "fetches.jsonl", limit=_MOST_NOTES, error=BenchRecordError)
    except BenchRecordError:
        return {}
    urls: dict[str, list[str]] = {}
    for line in notes.splitlines():
        try:
            note = json.loads(line)
            if "path" in note:
                urls[str(note["path"])] = [str(url) for url in note["urls"]]
            elif str(note["from"]) in urls:
                urls[str(note["to"])] = urls.pop(str(note["from"]))
        except (ValueError, KeyError, TypeError, RecursionError):
            continue
    shown = {_shown(path, workplace): _best(found, path) for path, found in urls.items()}
    return {path: url for path, url in shown.items() if path and url}


def _shown(path: str, workplace: Workplace) -> str:
    """As it is called in the list; a process without isolation sees the paths of the machine."""
    for prefix, (seen, place) in _roots(workplace).items():
        for folder in (seen, str(place)):
            if path.startswith(f"{folder}/"):
                return prefix + path.removeprefix(f"{folder}/")
    return ""


def _best(urls: Sequence[str], path: str) -> str:
    """The address that ends as the file is named, else the first: redirections come after it."""
    plain = [_without_query(url) for url in urls]
    named = [url for url in plain if url.rpartition("/")[2] and url.rpartition("/")[2] in PurePosixPath(path).name]
    return next((url for url in (*named, *plain) if url), "")


def _without_query(url: str) -> str:
    """Nothing for what is no web address; what may be a signature is left out."""
    try:
        parts = urlsplit(url)
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            return ""
        host = parts.hostname if parts.port is None else f"{parts.hostname}:{parts.port}"
    except ValueError:
        return ""
    return printable(urlunsplit((parts.scheme, host, parts.path, "", "")), 2000)
