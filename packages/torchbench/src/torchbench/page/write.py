"""The page as HTML, and as a file."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from benchrecord import printable
from benchrecord.files import replace_file
from torchbench.errors import ArgumentError
from torchbench.page.counted import counted, declared_rows
from torchbench.page.facts import arxiv_link, facts_of
from torchbench.reading.known import Known, known_answers
from torchbench.reading.stored import Stored

_LONGEST_TEXT = 100_000  # a picture is the longest
_SECTIONS = {
    "speed": "Speed",
    "model_facts": "Model",
    "transform": "Transform, and how it was carried out",
    "dataset": "Data",
    "weights": "Weights",
    "declared": "Declared by the author",
    "environment": "Environment",
}


def page_of(stored: Stored, data_root: Path | None) -> str:
    """The page about one record as HTML.

    Raises ArgumentError, DataError and InvalidPredictions when labels, images or outputs that are there cannot be used.
    Where the labels cannot be known without `data_root`, the page shows what the record declares, and says why no more.
    """
    known, why_not = _known(stored, data_root)
    facts = {key: facts_of(_object(stored.record, key)) for key in _SECTIONS}
    return _environment().get_template("report.html").render(
        stored=stored,
        record=stored.record,
        known=known,
        why_not=why_not,
        samples=known.samples_in_words if known else _declared_samples(stored.record),
        paper_link=arxiv_link(stored.record.get("arxiv_id")),
        counted=counted(stored, known) if known else None,
        declared_rows=declared_rows(stored.record),
        sections=[(title, facts[key]) for key, title in _SECTIONS.items() if facts[key]],
    )  # fmt: skip


def write_page(path: Path, page: str) -> int:
    """Put the page at `path`, all at once; returns its size in bytes. Raises ArgumentError when it cannot be there."""
    content = page.encode()
    try:
        replace_file(path, content)
    except OSError as error:
        raise ArgumentError(f"the page cannot be written to {path}: {error.strerror}; give another --output") from error
    return len(content)


def shown(value: object) -> object:
    """What the template writes for a value: text without control or invisible characters, which is then escaped."""
    return printable(value, _LONGEST_TEXT) if isinstance(value, str) and not isinstance(value, Markup) else value


def _environment() -> Environment:
    return Environment(
        loader=PackageLoader("torchbench.page", ""),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=shown,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def _known(stored: Stored, data_root: Path | None) -> tuple[Known | None, str]:
    """The right answers; or None, and why they are not known."""
    if stored.predictions is None:
        return None, "the record names no predictions"
    try:
        return known_answers(stored.record["dataset_name"], stored.predictions, data_root), ""
    except ArgumentError as error:
        if data_root is not None:
            raise
        return None, str(error)


def _object(record: Mapping[str, Any], key: str) -> Any:
    value = record.get(key)
    return {key: value} if isinstance(value, list) else value


def _declared_samples(record: Mapping[str, Any]) -> str:
    facts = record.get("dataset") or {}
    count = record.get("samples")
    whole = facts.get("complete") is True
    number = f"{count:,} images" if isinstance(count, int) else "an unknown number of images"
    return f"{number}, {'the whole set' if whole else 'a subset'} as the record declares"
