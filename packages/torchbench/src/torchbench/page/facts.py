"""A stranger's nested facts as rows of a table: bounded, and nothing but text."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from benchrecord import printable

_MOST_ROWS = 60
_MOST_LINES = 40
_ARXIV_ID = re.compile(r"(\d{4}\.\d{4,5}|[a-z-]+(\.[A-Z]{2})?/\d{7})(v\d+)?")
_UNITS = {
    "samples_per_second": "images a second",
    "loading": "s",
    "model": "s",
    "scoring": "s",
}


@dataclass(frozen=True)
class Fact:
    """A name, lines of text, and where they lead, if that is a web page."""

    name: str
    lines: tuple[str, ...]
    link: str | None = None


def facts_of(value: Any) -> list[Fact]:
    """The facts in an object of a record, at most 60; nothing for what is no object."""
    if isinstance(value, str) and value:
        value = {"text": value}
    if not isinstance(value, Mapping):
        return []
    rows: list[Fact] = []
    for name, each in _leaves(value, ""):
        if len(rows) == _MOST_ROWS:
            return [*rows, Fact("...", ("and more, which the record has",))]
        rows.append(_fact(name, each))
    return rows


def arxiv_link(identifier: object) -> str | None:
    """The paper's page, where the text is an identifier of arXiv."""
    known = isinstance(identifier, str) and _ARXIV_ID.fullmatch(identifier)
    return f"https://arxiv.org/abs/{identifier}" if known else None


def web_link(text: str) -> str | None:
    """The text itself where it is the address of a web page (http or https), None for everything else."""
    try:
        parts = urlsplit(text)
    except ValueError:
        return None
    plain = text.isprintable() and " " not in text and len(text) <= 2000
    return text if plain and parts.scheme in {"http", "https"} and parts.hostname and "@" not in parts.netloc else None


def _leaves(value: Mapping[str, Any], prefix: str) -> Iterator[tuple[str, object]]:
    for name, each in value.items():
        if isinstance(each, Mapping):
            yield from _leaves(each, f"{prefix}{name}.")
        elif isinstance(each, list) and each and all(isinstance(item, Mapping) for item in each):
            for number, item in enumerate(each[:_MOST_ROWS], 1):
                yield from _leaves(item, f"{prefix}{name} {number}.")
        else:
            yield prefix + name, each


def _fact(name: str, value: object) -> Fact:
    words = name.replace("_", " ").replace(".", ": ")
    if isinstance(value, str):
        lines = [printable(line, 500) for line in value.splitlines()[:_MOST_LINES]]
        return Fact(words, tuple(lines), web_link(value))
    return Fact(words.removesuffix(" bytes"), (_in_words(name.rpartition(".")[2], value),))


def _in_words(name: str, value: object) -> str:
    if value is None or isinstance(value, bool):
        return {None: "none", True: "yes", False: "no"}[value]
    if isinstance(value, list):
        return printable(", ".join(str(item) for item in value[:_MOST_LINES]) or "none")
    if name.endswith("_bytes") and isinstance(value, int):
        return f"{value / 2**30:,.2f} GiB"
    number = f"{value:,}" if isinstance(value, int) else _rounded(value) if isinstance(value, float) else str(value)
    return f"{number} {_UNITS[name]}" if name in _UNITS else number


def _rounded(value: float) -> str:
    return f"{value:,.1f}" if 100 <= abs(value) < 1e15 else f"{value:.4g}"
