"""Rows for people."""

from collections.abc import Mapping, Sequence
from typing import Any

from benchrecord import printable

_WIDEST = 80
_LONGEST = 1000


def table(rows: Sequence[Mapping[str, Any]], columns: Sequence[str]) -> str:
    """The rows under a heading, columns apart by two spaces; a stranger's text cannot move the cursor."""
    if not rows:
        return "none"
    cells = [[column.replace("_", " ") for column in columns]]
    cells += [[_shown(row.get(column)) for column in columns] for row in rows]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    return "\n".join("  ".join(map(str.ljust, line, widths)).rstrip() for line in cells)


def facts(row: Mapping[str, Any]) -> str:
    """One thing, a line a fact."""
    width = max(map(len, row), default=0)
    lines = ((name.replace("_", " ").ljust(width), _shown(value, _LONGEST)) for name, value in row.items())
    return "\n".join(f"{name}  {value}".rstrip() for name, value in lines)


def _shown(value: object, longest: int = _WIDEST) -> str:
    match value:
        case None:
            return ""
        case bool():
            return "yes" if value else "no"
        case list():
            return ", ".join(_shown(item["name"] if isinstance(item, dict) else item) for item in value)
        case _:
            return printable(str(value), longest)
