"""uv inside the sandbox: resolving, and filling an environment."""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import uv

from benchrecord import printable
from benchrecord.errors import BenchRecordError
from benchrecord.files import read_strangers_file
from sotabench.errors import Broken, Failed
from sotabench.runner.base import held_names
from sotabench.runner.inside_files import inside_mount
from sotabench.runner.sandbox import Limits, Mount, Outcome, Task, remove
from sotabench.runner.workplace import (
    ENVIRONMENT,
    FACTS,
    HOME,
    INSIDE,
    REPOSITORY,
    Base,
    Workplace,
    check_ended,
)

LIMITS = Limits(seconds=1800, memory=8 << 30, disk=10 << 30, files=500_000, processes=512, file_size=4 << 30)
TOOL, EXCLUDED, SCRATCH = "/work/tools/uv", "/work/tools/excluded.txt", "/work/uv"
_OWN_VARIABLES = {
    "UV_NO_CONFIG": "1",
    "UV_PYTHON_DOWNLOADS": "never",
    "UV_NO_PROGRESS": "1",
    "UV_LINK_MODE": "copy",  # a hard link would let an installed file change the cache
    "UV_CACHE_DIR": f"{SCRATCH}/cache",
    "UV_EXCLUDE": EXCLUDED,
}
MOST_FROZEN = 4 << 20
_MOST_LISTED, _LONGEST_LISTED = 1 << 20, 2000
_WORDS = 3000
_SILENT = re.compile(
    r"error sending request|tunnel error|dns error|operation timed out|status (?:server|50)", re.IGNORECASE
)


@dataclass
class Words:
    """The end of what was printed, for the sentence that says why it failed."""

    kept: bytearray = field(default_factory=bytearray)

    def take(self, block: bytes) -> None:
        """More of it."""
        self.kept += block
        del self.kept[:-_WORDS]

    def __str__(self) -> str:
        return self.kept.decode(errors="replace").strip()


def tool_mounts(workplace: Workplace) -> tuple[Mount, Mount]:
    """The program itself, and the list of what it never installs: neither can be changed inside."""
    excluded = workplace.folder / "excluded.txt"
    excluded.write_text("".join(f"{name}\n" for name in sorted(held_names(workplace.base))))
    return Mount(Path(uv.find_uv_bin()), TOOL), Mount(excluded, EXCLUDED)


def uv_variables(workplace: Workplace, *, with_secrets: bool) -> dict[str, str]:
    """All that uv is told: nothing of the repository's, everything of this machine's."""
    index = workplace.index if with_secrets else workplace.index.without_secrets()
    return {**index.variables, **_OWN_VARIABLES}


def make_scratch(workplace: Workplace, folder: Path) -> Mount:
    """A folder for uv's cache; seen as SCRATCH."""
    workplace.give(folder)
    return Mount(folder, SCRATCH, writable=True)


def resolve(
    workplace: Workplace, lines: Sequence[str], scratch: Mount, limits: Limits = LIMITS
) -> tuple[list[str], str]:
    """Names, versions and hashes of all that is to be installed, wheels only; or nothing, and why not in uv's words."""
    asked, answer = scratch.source / "requirements.in", scratch.source / "lock.txt"
    asked.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    words = Words()
    options = ("--no-header", "--no-annotate", "--generate-hashes", "--only-binary", ":all:", "--quiet")
    trust, trusting = workplace.trusting()
    with workplace.proxy(workplace.index.rules) as egress:
        outcome = workplace.sandbox.run(
            Task(
                command=[TOOL, "pip", "compile", "requirements.in", "--output-file", "lock.txt", *options,
                         "--python", str(workplace.base.python)],
                folder=SCRATCH,
                mounts=[*workplace.base.mounts, *workplace.index.mounts, *trust, *tool_mounts(workplace), scratch],
                environment={**trusting, **uv_variables(workplace, with_secrets=True)},
                limits=limits,
                network=egress.socket,
            ),
            output=words.take,
            stop=workplace.stop,
        )  # fmt: skip
    check_ended(outcome, "resolving requirements.txt")
    if not any(map(_SILENT.search, lines)):  # uv quotes a line that it cannot read
        _check_index(words)
    if outcome.code:
        return [], str(words)
    try:
        text = read_strangers_file(answer, limit=MOST_FROZEN, error=BenchRecordError).decode()
    except BenchRecordError as error:
        raise Failed(f"uv wrote no lock: {error}") from error
    return [line for line in text.replace("\\\n", " ").splitlines() if line.strip()], ""


def _check_index(words: Words) -> None:
    """Raise Broken where the machine's own index did not answer: that is no fault of the requirements."""
    if _SILENT.search(str(words)):
        raise Broken(f"the package index does not answer: {words}")


@dataclass(frozen=True)
class Filling:
    """What to install where: `folder` is seen as ENVIRONMENT."""

    folder: Path
    scratch: Mount
    install: Sequence[str]
    limits: Limits = LIMITS
    from_repository: bool = False  # its own code runs then: builds, and whatever they start


def fill(workplace: Workplace, filling: Filling) -> tuple[str, ...]:
    """What is installed then, a line each. Raises Failed in uv's own words."""
    remove(workplace.facts)
    workplace.give(workplace.facts)
    words = Words()

    def output(block: bytes) -> None:
        words.take(block)
        workplace.output(block)

    with workplace.proxy(workplace.index.rules) as egress:
        task = _filling_task(workplace, filling, egress.socket)
        outcome = workplace.sandbox.run(task, output=output, stop=workplace.stop)
    check_ended(outcome, "environment")
    if outcome.code and not filling.from_repository:
        _check_index(words)
    if outcome.code:
        raise Failed(f"requirements.txt cannot be installed: {words}")
    outcome = workplace.sandbox.run(_listing_task(workplace, filling), output=output, stop=workplace.stop)
    check_ended(outcome, "environment")
    if outcome.code:
        raise Failed(f"what requirements.txt installs does not start: {words}")
    return read_frozen(workplace)


def read_frozen(workplace: Workplace) -> tuple[str, ...]:
    """The list that was left among the facts, as a record can hold it. Raises Failed."""
    try:
        text = read_strangers_file(workplace.facts / "frozen.txt", limit=_MOST_LISTED, error=BenchRecordError)
    except BenchRecordError as error:
        raise Failed(f"uv wrote no list of what is installed: {error}") from error
    lines = sorted(line for line in text.decode(errors="replace").splitlines() if line.strip())
    for line in lines:
        if len(line) > _LONGEST_LISTED or not line.isprintable():
            raise Failed(
                f"expected names and versions of what is installed in lines of at most {_LONGEST_LISTED} printable "
                f"characters, found {printable(line, 100)!r}"
            )
    return tuple(lines)


def wanted(workplace: Workplace, filling: Filling | None = None) -> dict[str, str]:
    """The variable that tells `inside/environment.py` what to do: to fill an environment, or to list what is in it."""
    answer = {
        "uv": TOOL,
        "base": str(workplace.base.python),
        "folder": ENVIRONMENT,
        "startup": startup(workplace.base),
        "install": list(filling.install) if filling else [],
        "make": filling is not None,
        "frozen": "" if filling else f"{FACTS}/frozen.txt",
    }
    return {"SOTABENCH_ENVIRONMENT": json.dumps(answer)}


def startup(base: Base) -> str:
    """The line of a .pth file: the base's packages behind the environment's own, and what `inside` does."""
    folders = "".join(f"site.addsitedir({str(folder)!r}); " for folder in base.packages)
    return (
        f"import importlib.util, os, site, sys; {folders}"
        f"place = os.environ.get('SOTABENCH_INSIDE', {INSIDE!r}); spec = importlib.util.spec_from_file_location("
        "'sotabench_inside', place + '/__init__.py', submodule_search_locations=[place]); "
        "inside = sys.modules[spec.name] = importlib.util.module_from_spec(spec); "
        "spec.loader.exec_module(inside); inside.install()\n"
    )


def _listing_task(workplace: Workplace, filling: Filling) -> Task:
    """Lists what is there then. Code of what was installed may run, so it is told of no index and has no network."""
    return Task(
        command=[str(workplace.base.python), "-I", f"{INSIDE}/environment.py"],
        folder=SCRATCH,
        mounts=[
            *workplace.base.mounts,
            inside_mount(),
            *tool_mounts(workplace),
            filling.scratch,
            Mount(filling.folder, ENVIRONMENT),
            Mount(workplace.facts, FACTS, writable=True),
        ],
        environment={**_OWN_VARIABLES, "SOTABENCH_INSIDE": INSIDE, **wanted(workplace)},
        limits=filling.limits,
    )


def _filling_task(workplace: Workplace, filling: Filling, network: Path) -> Task:
    trust, trusting = workplace.trusting()
    repository = [Mount(workplace.repository, REPOSITORY, writable=True)] if filling.from_repository else []
    home = [Mount(workplace.home, HOME, writable=True)] if filling.from_repository else []
    index = workplace.index
    variables = uv_variables(workplace, with_secrets=not filling.from_repository)
    if not filling.from_repository:
        variables.pop("UV_CONSTRAINT", None)  # the lock was resolved under it; beside hashes uv wants names alone
    return Task(
        command=[str(workplace.base.python), "-I", f"{INSIDE}/environment.py"],
        folder=REPOSITORY if filling.from_repository else SCRATCH,
        mounts=[
            *workplace.base.mounts,
            *index.mounts,
            *trust,
            *repository,
            *home,
            inside_mount(),
            *tool_mounts(workplace),
            filling.scratch,
            Mount(filling.folder, ENVIRONMENT, writable=True),
            Mount(workplace.facts, FACTS, writable=True),
        ],
        environment={
            **trusting,
            **variables,
            "SOTABENCH_INSIDE": INSIDE,
            **wanted(workplace, filling),
            **({"HOME": HOME} if filling.from_repository else {}),
        },
        limits=filling.limits,
        network=network,
    )


def check_outcome(outcome: Outcome, what: str) -> None:
    """Raise Failed unless it ended well."""
    check_ended(outcome, what)
    if outcome.code:
        raise Failed(f"{what} {outcome.reason}; its words are in the log")
