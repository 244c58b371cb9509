"""Which companions of a benchmark one call evaluates too, and where their images are."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, Protocol, TypeVar

from torchbench.dataset import ClassFolderReader, Reader, TestSet
from torchbench.errors import ArgumentError, DataNotFound
from torchbench.report import say
from torchbench.settings import Settings

EVERY = "all"


class Companion(Protocol):
    """A benchmark that goes with another one, on its images or on others; people ask for it by `key`."""

    key: str
    name: str
    reader: Reader

    def why_not(self, test_set: TestSet) -> str | None:
        """Why these images cannot be scored by this benchmark, None where they can."""
        ...


C = TypeVar("C", bound=Companion)


@dataclass(frozen=True)
class Row(Generic[C]):
    """What a call evaluates beside the benchmark itself.

    `readings` read the same answers to the same images; each of `others` has images of its own.
    """

    readings: tuple[C, ...] = ()
    others: tuple[tuple[C, TestSet], ...] = ()


@dataclass(frozen=True)
class Wanted(Generic[C]):
    """The companions that were asked for, in the benchmark's order; `by_name`: one that is not there is an error."""

    companions: tuple[C, ...] = ()
    by_name: bool = False


def wanted_companions(asked: str | Sequence[str] | bool | None, setting: str, known: Sequence[C]) -> Wanted[C]:  # noqa: FBT001 - as benchmark() is given it
    """What the call asks for, or where it says nothing, the site's setting, which passes over other benchmarks.

    "all", or names such as "real,v2"; False and "" ask for none. Raises ArgumentError for unknown names.
    """
    if asked is None and not known:
        return Wanted()
    names = _names(setting if asked is None else asked)
    keys = {companion.key for companion in known}
    if EVERY in names and known:
        return Wanted(tuple(known))
    unknown = sorted(set(names) - keys)
    if unknown:
        source = "SOTABENCH_COMPANIONS" if asked is None else "companions"
        expected = f"'{EVERY}' or some of {', '.join(dict.fromkeys(companion.key for companion in known))}"
        raise ArgumentError(
            f"expected {source} to be {expected if known else 'left out: this benchmark has none'}, "
            f"got {', '.join(map(repr, unknown))}"
        )
    return Wanted(tuple(companion for companion in known if companion.key in names), by_name=True)


def _names(asked: str | Sequence[str] | bool) -> list[str]:  # noqa: FBT001 - as above
    if isinstance(asked, bool):
        return [EVERY] if asked else []
    parts = asked.split(",") if isinstance(asked, str) else asked
    return [name for part in parts if (name := part.strip().lower())]


def find_row(wanted: Wanted[C], reader: Reader, root: Path, test_set: TestSet, settings: Settings) -> Row[C]:
    """Those that are there, with lines that say what was found; `reader` found `test_set` at `root`.

    Companions of this very reader read the benchmark's own images: ReaL where it can, and the control of each set that
    was found. The sets lie in folders of known names in `root` or beside it. Raises DataNotFound, saying where it
    looked, when one that was asked for by name is not there.
    """
    same = [companion for companion in wanted.companions if companion.reader == reader]
    sets = [companion for companion in wanted.companions if companion not in same]
    others = [(companion, found) for companion in sets if (found := _find(companion, root, settings))]
    absent = {companion.key for companion in sets} - {companion.key for companion, _ in others}
    refusals = {companion.key: _refusal(companion, test_set, settings) for companion in same}
    readings = [companion for companion in same if companion.key not in absent and not refusals[companion.key]]
    missing = [f"{companion.name} ({_folders(companion)})" for companion in sets if companion.key in absent]
    missing += [
        f"{companion.name} ({refusals[companion.key]})"
        for companion in same
        if refusals[companion.key] and companion.key not in absent
    ]
    if missing:
        sentence = f"{', '.join(missing)}; looked in and beside {root.expanduser().absolute()}"
        if wanted.by_name:
            raise DataNotFound(f"not all companions that were asked for are there: {sentence}")
        say(f"companions that are not evaluated: {sentence}")
    return Row(tuple(readings), tuple(others))


def _find(companion: Companion, root: Path, settings: Settings) -> TestSet | None:
    """The companion's own images, with a line that says what was found."""
    reader = companion.reader
    folder = reader.beside(root) if isinstance(reader, ClassFolderReader) else None
    if folder is None:
        return None
    test_set = reader.find(folder, remember=settings.remember)
    say(f"{companion.name}: {len(test_set.ids):,} images, {test_set.layout}")
    say(*(f"  {assumption}" for assumption in test_set.assumptions))
    return test_set


def _refusal(companion: Companion, test_set: TestSet, settings: Settings) -> str | None:
    """Why the images at hand give no number for this companion; in a sealed run it is the platform that scores."""
    return None if settings.sealed else companion.why_not(test_set)


def _folders(companion: Companion) -> str:
    folders = companion.reader.folders if isinstance(companion.reader, ClassFolderReader) else ()
    return f"no class folders in {' or '.join(folders)}"
