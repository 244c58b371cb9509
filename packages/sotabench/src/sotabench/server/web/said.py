"""All that a record says, in sections for a page. It is a stranger's text: nothing here is believed to have a shape."""

import json
from collections.abc import Mapping
from dataclasses import dataclass

from sotabench.server.web.formats import amount, plain

_LONGEST = 4000
_MOST_LINES = 60
_DEEPEST = 3


@dataclass(frozen=True)
class Line:
    """One thing said: what it is about, and the words; `is_block` when the lines of the words matter."""

    name: str
    text: str
    is_block: bool = False


@dataclass(frozen=True)
class Section:
    """What is said about one subject."""

    title: str
    lines: tuple[Line, ...]


SECTIONS = {
    "dataset": "Data set",
    "transform": "Transform",
    "model_facts": "Model",
    "weights": "Weights",
    "declared": "Declared by the file",
    "speed": "Speed and memory",
    "environment": "Environment",
    "platform": "What this site ran it with",
    "predictions": "Predictions file",
}
_OF_THE_RUN = {
    "model_description": "Description",
    "samples": "Images",
    "correct": "Right answers",
    "nonfinite": "Images answered with NaN or infinity",
    "pytorch_hub_id": "PyTorch Hub",
    "target_map": "Target map",
    "calibration": "Calibration",
    "check": "Check",
    "run_hash": "Run hash",
    "format": "Format",
}


def sections_of(text: str) -> list[Section]:
    """The record's sections; what is missing in the record has no section."""
    record = json.loads(text)
    run = Section("Run", tuple(_lines({name: record.get(key) for key, name in _OF_THE_RUN.items()})))
    rest = [Section(title, tuple(_lines(record.get(key)))) for key, title in SECTIONS.items()]
    return [section for section in [run, *rest] if section.lines]


def _lines(value: object, name: str = "", depth: int = 0) -> list[Line]:
    """The value as lines: objects become one line a member, their names joined."""
    if value is None or value in ("", [], {}):
        return []
    if depth < _DEEPEST and isinstance(value, Mapping):
        inner = [line for key, part in value.items() for line in _lines(part, _joined(name, str(key)), depth + 1)]
        return inner[:_MOST_LINES]
    if depth < _DEEPEST and isinstance(value, list) and any(isinstance(part, Mapping) for part in value):
        parts = enumerate(value[:_MOST_LINES], 1)
        return [line for n, part in parts for line in _lines(part, _joined(name, str(n)), depth + 1)][:_MOST_LINES]
    return [_line(name, value)]


def _joined(name: str, key: str) -> str:
    words = plain(key.replace("_", " "), 60)
    return f"{name}: {words}" if name else words


def _line(name: str, value: object) -> Line:
    if isinstance(value, str) and "\n" in value[:_LONGEST]:
        return Line(name, "\n".join(plain(line) for line in value[:_LONGEST].split("\n")), is_block=True)
    return Line(name or "value", _words(value))


def _words(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return amount(value) if abs(value) >= 1000 else f"{value:.4g}"
    if isinstance(value, list):
        return plain(", ".join(_words(part) for part in value[:50]), 600)
    return plain(value, 600) if isinstance(value, str) else plain(json.dumps(value), 600)
