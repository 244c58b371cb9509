"""The second stage: what `requirements.txt` asks for, on top of the platform's own packages.

An environment is shared between builds where every line is a plain requirement that the index answers with wheels: no
code of a repository runs while it is filled, and nobody can write it afterwards. Anything else gives an environment of
that build alone, as does `sotabench_setup.sh`, which may change it.

Not protected against: what a wheel of the index itself does. It runs wherever it was asked for, and nowhere else.
"""

import contextlib
import hashlib
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from sotabench.errors import Failed
from sotabench.runner import shared_environments
from sotabench.runner.base import INSTEAD, described_lines, held_names
from sotabench.runner.egress import Rules
from sotabench.runner.inside_files import inside_mount
from sotabench.runner.installing import (
    LIMITS,
    Filling,
    check_outcome,
    fill,
    make_scratch,
    read_frozen,
    tool_mounts,
    uv_variables,
    wanted,
)
from sotabench.runner.kept import emptied_if_too_much, empty, is_above_half
from sotabench.runner.locks import held
from sotabench.runner.requirements import read_requirements
from sotabench.runner.sandbox import Limits, Mount, Outcome, Task, copy_writable, remove
from sotabench.runner.workplace import ENVIRONMENT, FACTS, HOME, INSIDE, REPOSITORY, Base, Workplace

NO_HOSTS = Rules()
SETUP = "sotabench_setup.sh"
MOST_HOSTS = 5


@dataclass(frozen=True)
class Environment:
    """What a build's code runs in: an interpreter as seen inside, and the mounts that make it work."""

    python: str
    folder: Path  # seen as ENVIRONMENT
    base: Base
    lock: tuple[str, ...]  # name==version of all that is installed, the platform's own included
    key: str  # SHA-256 of the lock
    is_shared: bool
    setup: str = ""  # how its setup script ended, where that was not well and not its own fault

    @property
    def mounts(self) -> tuple[Mount, ...]:
        """All of it, read-only."""
        return (*self.base.mounts, inside_mount(), Mount(self.folder, ENVIRONMENT))

    @property
    def variables(self) -> dict[str, str]:
        """With which a program finds it."""
        return {
            "VIRTUAL_ENV": ENVIRONMENT,
            "PATH": f"{ENVIRONMENT}/bin:/usr/local/bin:/usr/bin:/bin",
            "SOTABENCH_INSIDE": INSIDE,
        }


def make_environment(workplace: Workplace, store: Path, limits: Limits = LIMITS) -> Environment:
    """The environment that the checkout asks for; `store` is where shared ones are kept.

    Raises Failed, in uv's own words, when the requirements cannot be had.
    """
    base = workplace.base
    requirements = read_requirements(workplace.repository, held_names(base))
    for line, name in requirements.held:
        workplace.say(_held_sentence(line, name, base))
    if requirements.why_private:
        workplace.say(f"An environment of this build alone: {requirements.why_private}")
        return _private(workplace, limits)
    shared = shared_environments.make(workplace, requirements.plain, store, limits)
    if shared is None:
        workplace.say("An environment of this build alone: not everything can be had as a wheel")
        return _private(workplace, limits)
    if _has_setup(workplace):
        own_copy = workplace.folder / "environment"
        _copy(shared.folder, own_copy, workplace)
        return _environment(workplace, own_copy, shared.frozen, is_shared=False)
    return _environment(workplace, shared.folder, shared.frozen, is_shared=True)


def run_setup(
    workplace: Workplace, environment: Environment, hosts: Rules = NO_HOSTS, limits: Limits = LIMITS
) -> Environment:
    """Run `sotabench_setup.sh`, if there is one; what is installed then.

    It may change the checkout, the home folder and its environment, all of this build alone. `hosts` are those of the
    operator's list, beside the package index. Raises Failed when it fails, unless it was refused a host: then the
    later stages tell whether anything is missing.
    """
    if not _has_setup(workplace):
        return environment
    remove(workplace.facts)
    workplace.give(workplace.home, workplace.facts)
    with _own_cache(workplace, limits) as scratch, workplace.proxy(workplace.index.rules | hosts) as egress:
        outcome = workplace.run(_setup_task(workplace, environment, scratch, limits, egress.socket))
        said = _check_setup(outcome, egress.not_listed)
    if said:
        workplace.say(f"{said}. The build goes on, for a host that is not listed is not the repository's fault")
    lock = _whole_lock(workplace.base, read_frozen(workplace))
    return replace(environment, lock=lock, key=_key(lock), setup=said)


def _setup_task(workplace: Workplace, environment: Environment, scratch: Mount, limits: Limits, network: Path) -> Task:
    """The script, what is installed after it, and its exit code."""
    trust, trusting = workplace.trusting()
    script = f"bash {SETUP}; code=$?; {workplace.base.python} -I {INSIDE}/environment.py && exit $code"
    return Task(
        command=["/bin/sh", "-c", script],
        folder=REPOSITORY,
        mounts=[
            *workplace.base.mounts,
            inside_mount(),
            Mount(environment.folder, ENVIRONMENT, writable=True),
            *workplace.index.mounts,
            *trust,
            scratch,
            *tool_mounts(workplace),
            Mount(workplace.repository, REPOSITORY, writable=True),
            Mount(workplace.home, HOME, writable=True),
            Mount(workplace.facts, FACTS, writable=True),
        ],
        environment={
            **trusting,
            **environment.variables,
            **uv_variables(workplace, with_secrets=False),
            **wanted(workplace),
            "HOME": HOME,
        },
        limits=limits,
        network=network,
    )


def _check_setup(outcome: Outcome, not_listed: Collection[str]) -> str:
    """Nothing, or how it ended although it was refused these hosts. Raises Failed."""
    if not outcome.code or not not_listed:
        check_outcome(outcome, SETUP)
        return ""
    hosts = sorted(not_listed)
    shown = ", ".join(hosts[:MOST_HOSTS]) + (" and others" if len(hosts) > MOST_HOSTS else "")
    return f"{SETUP} {outcome.reason}; SOTABENCH_SETUP_HOSTS of this runner does not list {shown}"


def _has_setup(workplace: Workplace) -> bool:
    try:
        return (workplace.repository / SETUP).exists()
    except OSError:  # a link to what cannot be looked for
        return False


def _held_sentence(line: str, name: str, base: Base) -> str:
    name = INSTEAD.get(name, name)
    version = base.held.get(name)
    return f"{line} in requirements.txt: the platform's own {f'{name} {version}' if version else name} is used"


def _private(workplace: Workplace, limits: Limits) -> Environment:
    """Filled with the repository's own code running: by uv from its file as it is, into folders of its own."""
    folder = workplace.folder / "environment"
    remove(folder)
    workplace.give(folder, workplace.home)
    install = ("--requirements", "requirements.txt")
    with _own_cache(workplace, limits) as scratch:
        frozen = fill(workplace, Filling(folder, scratch, install, limits, from_repository=True))
    return _environment(workplace, folder, frozen, is_shared=False)


@contextlib.contextmanager
def _own_cache(workplace: Workplace, limits: Limits) -> Iterator[Mount]:
    """The repository's own cache of packages: what runs here can spoil it, for that repository alone.

    It counts for the limits of the stage, and is emptied before it leaves too little of them; also where the stage
    fails, for an earlier build may have spoilt it, and would else have failed all later ones.
    """
    cache = workplace.kept / "uv"
    workplace.kept.mkdir(parents=True, exist_ok=True)
    with held(workplace.kept / "uv.lock", workplace.stop), emptied_if_too_much(cache):
        if cache.is_dir() and is_above_half(cache, limits):
            workplace.say("The repository's cache of packages was emptied: it was above half of what a stage may use")
            empty(cache)
        try:
            yield make_scratch(workplace, cache)
        except Failed:
            if not workplace.stop.is_set():
                empty(cache)
            raise


def _copy(source: Path, target: Path, workplace: Workplace) -> None:
    remove(target)
    copy_writable(source, target)
    workplace.give(target)


def _environment(workplace: Workplace, folder: Path, frozen: Iterable[str], *, is_shared: bool) -> Environment:
    lock = _whole_lock(workplace.base, frozen)
    return Environment(
        python=f"{ENVIRONMENT}/bin/python",
        folder=folder,
        base=workplace.base,
        lock=lock,
        key=_key(lock),
        is_shared=is_shared,
    )


def _whole_lock(base: Base, frozen: Iterable[str]) -> tuple[str, ...]:
    return tuple(sorted({*frozen, *described_lines(base)}))


def _key(lock: Iterable[str]) -> str:
    return hashlib.sha256("\n".join(lock).encode()).hexdigest()
