"""Our own two tables: what papers report on ImageNet, and what catalogues of models do."""

import csv
import math
from collections.abc import Callable, Iterator
from pathlib import Path

from sotabench.server.papers.formats.row import BadRow, PaperFacts, Reporter, Row, figures_of
from sotabench.server.papers.published import Published
from sotabench.server.papers.spelling import arxiv_id

TASK, DATASET = "Image Classification", "ImageNet"
PAPER_COLUMNS = frozenset(
    {"model_name", "arxiv_id", "paper_title", "year", "top1", "top5", "params_m", "extra_training_data"}
)
CATALOGUE_COLUMNS = frozenset(
    {"catalog", "model", "arxiv_id", "paper_title", "top1", "top5", "params", "gflops", "image_size", "source"}
)
_YES_NO = {"yes": True, "no": False, "": None}

Reader = Callable[[dict[str, str], str], Row]


def read_csv(path: Path) -> Iterator[Row | BadRow]:
    """Every row of either table; which one it is, its header says."""
    with path.open(encoding="utf-8", newline="") as file:
        lines = csv.DictReader(file, strict=True)
        try:
            header = frozenset(lines.fieldnames or ())
        except csv.Error as error:
            yield BadRow(path.name, "line 1", f"expected the names of columns, found: {error}")
            return
        reader: Reader | None = {PAPER_COLUMNS: _paper_row, CATALOGUE_COLUMNS: _catalogue_row}.get(header)
        if reader is None:
            expected = " or ".join(",".join(sorted(columns)) for columns in (PAPER_COLUMNS, CATALOGUE_COLUMNS))
            yield BadRow(
                path.name, "line 1", f"expected the columns {expected}, found {','.join(sorted(header))[:300]}"
            )
            return
        try:
            for line in lines:
                yield _row(path.name, f"line {lines.line_num}", reader, line)
        except csv.Error as error:
            yield BadRow(path.name, f"line {lines.line_num}", f"expected CSV to the end of the file, found: {error}")


def _row(file: str, place: str, reader: Reader, line: dict[str, str]) -> Row | BadRow:
    try:
        return reader(_whole(line), place)
    except ValueError as error:
        return BadRow(file, place, str(error))


def _whole(line: dict[str, str]) -> dict[str, str]:
    if None in line or None in line.values():
        raise ValueError("expected as many columns as the header has, found more or fewer; is a comma not quoted?")
    return line


def _paper_row(line: dict[str, str], place: str) -> Row:
    year = int(line["year"]) if line["year"] else None
    return Row(
        place=place,
        task=TASK,
        dataset=DATASET,
        model_name=line["model_name"],
        figures=_top(line),
        reporter=Reporter.PAPER,
        catalogue="paper",
        source=line["arxiv_id"] or line["paper_title"],
        paper=PaperFacts(line["paper_title"], arxiv_id=_arxiv_id(line), year=year),
        parameters=_millions(line["params_m"]),
        extra_training_data=_yes_no(line["extra_training_data"]),
    )


def _catalogue_row(line: dict[str, str], place: str) -> Row:
    title = line["paper_title"]
    return Row(
        place=place,
        task=TASK,
        dataset=DATASET,
        model_name=line["model"],
        figures=_top(line),
        reporter=Reporter.CATALOGUE,
        catalogue=line["catalog"],
        source=line["source"],
        paper=PaperFacts(title, arxiv_id=_arxiv_id(line)) if title else None,
        image_size=line["image_size"],
        parameters=int(line["params"]) if line["params"] else None,
        gflops=float(line["gflops"]) if line["gflops"] else None,
    )


def _top(line: dict[str, str]) -> dict[str, Published]:
    return figures_of([("Top 1 Accuracy", line["top1"]), ("Top 5 Accuracy", line["top5"])])


def _arxiv_id(line: dict[str, str]) -> str:
    """The id as papers are known by; what is none stays as it is, to be named."""
    return arxiv_id(line["arxiv_id"]) or line["arxiv_id"]


def _millions(text: str) -> int | None:
    if text and not math.isfinite(float(text) * 1e6):
        raise ValueError(f"expected params_m to be millions, such as 25.6, found {text[:40]!r}")
    return round(float(text) * 1e6) if text else None


def _yes_no(text: str) -> bool | None:
    if text not in _YES_NO:
        raise ValueError(f"expected extra_training_data to be yes, no or empty, found {text[:40]!r}")
    return _YES_NO[text]
