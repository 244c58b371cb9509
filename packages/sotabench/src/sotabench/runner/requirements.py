"""What a repository's `requirements.txt` asks for, and whether others may share what comes of it."""

import re
from dataclasses import dataclass
from pathlib import Path

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from benchrecord.errors import BenchRecordError
from benchrecord.files import read_strangers_file
from sotabench.errors import Failed

LONGEST = 1 << 20
MOST_LINES = 2000
_EGG = re.compile(r"^(?:-e\s*|--editable[= ]\s*)?[a-z]+\+\S+[#&]egg=([\w.-]+)")
# The predecessor's own repositories, of whose packages nothing else bears the names.
_PREDECESSOR = re.compile(r"github\.com[/:]paperswithcode/(torchbench|sotabench-eval|sotabench-api)(?![\w-])")
_HASH = re.compile(r"\s--hash=[a-z0-9]{3,10}:[0-9a-fA-F]{32,128}(?=\s|$)")


@dataclass(frozen=True)
class Requirements:
    """Lines to install from an index, lines that the platform answers itself, and why nobody may share the rest."""

    plain: tuple[str, ...]
    held: tuple[tuple[str, str], ...]  # each with the name, normalised, of what it asks for
    why_private: str  # nothing where every line is plain


def read_requirements(folder: Path, held: frozenset[str]) -> Requirements:
    """As the file says; only names with extras, versions, markers and hashes are plain.

    What is held is set aside wherever it is to come from, as far as its line names it.

    Raises Failed when it is no text file, or has too many lines.
    """
    path = folder / "requirements.txt"
    if path.is_symlink():
        return Requirements((), (), "requirements.txt is a link")
    try:
        text = read_strangers_file(path, limit=LONGEST, error=BenchRecordError, hard_links=True).decode("utf-8-sig")
    except (BenchRecordError, UnicodeDecodeError) as error:
        raise Failed(f"expected requirements.txt to be a text file: {error}".replace(str(path), path.name)) from error
    return parse_requirements(text, held)


def parse_requirements(text: str, held: frozenset[str]) -> Requirements:
    """The same, of a text."""
    plain, ours, why = [], [], ""
    lines = _lines(text)
    if len(lines) > MOST_LINES:
        raise Failed(f"expected at most {MOST_LINES} lines in requirements.txt, found {len(lines)}")
    for line in lines:
        found = _requirement(line)
        name = canonicalize_name(found.name if found else _name_in_address(line))
        if name in held:
            ours.append((line, str(name)))
        elif found is None or found.url is not None:
            why = why or f"the line {line[:200]!r} is more than a name and versions"
        else:
            plain.append(line)
    return Requirements(tuple(plain), tuple(ours), why)


def _name_in_address(line: str) -> str:
    """What an address says that it brings, or what lies at one of the predecessor's; or nothing."""
    if egg := _EGG.match(line):
        return egg[1]
    place = _PREDECESSOR.search(line)
    return place[1].replace("sotabench-", "sotabench") if place else ""


def _lines(text: str) -> list[str]:
    """Without comments, with continued lines made whole, as pip reads them."""
    joined = re.sub(r"\\\r?\n", " ", text)
    return [line for line in (re.sub(r"(^|\s)#.*$", "", line).strip() for line in joined.splitlines()) if line]


def _requirement(line: str) -> Requirement | None:
    try:
        return Requirement(_HASH.sub("", line).strip())
    except (InvalidRequirement, ValueError, SyntaxError, RecursionError):  # all but the first in packaging before 26.4
        return None
