"""Published tables come in: any of the formats, as often as one likes, the good rows of a file with bad ones too."""

import math
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

from django.db import transaction

from sotabench.server.papers.formats.csv_tables import read_csv
from sotabench.server.papers.formats.model_index import read_model_index
from sotabench.server.papers.formats.papers_with_code import read_evaluation_tables
from sotabench.server.papers.formats.row import BadRow, PaperFacts, Row
from sotabench.server.papers.models import Paper, ReportedFigure, ReportedResult
from sotabench.server.papers.published import lower_is_better
from sotabench.server.papers.services import know_papers
from sotabench.server.papers.slugs import benchmark_slug
from sotabench.server.papers.spelling import architecture_of, arxiv_id, model_key

SHIPPED = Path(__file__).with_name("data")
READERS: dict[str, Callable[[Path], Iterator[Row | BadRow]]] = {
    ".csv": read_csv,
    ".json": read_evaluation_tables,
    ".gz": read_evaluation_tables,
    ".yaml": read_model_index,
    ".yml": read_model_index,
    ".md": read_model_index,
}
_ROWS_AT_ONCE = 400
_FIRST_YEAR, _LAST_YEAR = 1900, 2200
_PWC_ID = re.compile(r"[a-z0-9-]{1,200}")

Key = tuple[str, str, str, str, str]


@dataclass
class ImportReport:
    """What became of the rows."""

    added: int = 0
    changed: int = 0
    unchanged: int = 0
    bad: list[BadRow] = field(default_factory=list)


def import_files(paths: Iterable[Path]) -> ImportReport:
    """Bring in every good row of the files; a row that is known already is brought up to date, not doubled."""
    report = ImportReport()
    for path in paths:
        if path.is_dir():
            report.bad.append(BadRow(str(path), "the file", "expected a file, found a folder; name the files in it"))
            continue
        reader = READERS.get(path.suffix.lower())
        if reader is None:
            expected = ", ".join(READERS)
            report.bad.append(BadRow(path.name, "the file", f"expected one of {expected}, found {path.suffix!r}"))
            continue
        try:
            _import_file(path, reader(path), report)
        except (OSError, UnicodeDecodeError) as error:
            why = getattr(error, "strerror", None) or error
            report.bad.append(BadRow(path.name, "the file", f"expected a readable file, found: {why}"))
    return report


def shipped_files() -> list[Path]:
    """The tables that a fresh site starts with."""
    return sorted(SHIPPED.glob("*.csv"))


def import_shipped_once() -> None:
    """Bring in what a fresh site starts with, unless anything was brought in before.

    Rows that the site's owner deleted do not come back: their papers are still there.
    """
    if not (Paper.objects.exists() or ReportedResult.objects.exists()):
        import_files(shipped_files())


def _import_file(path: Path, found: Iterator[Row | BadRow], report: ImportReport) -> None:
    seen: dict[Key, Row] = {}
    while some := list(islice(found, _ROWS_AT_ONCE)):
        good: dict[Key, Row] = {}
        for row in some:
            if isinstance(row, BadRow):
                report.bad.append(row)
            elif problem := _problem(row, seen):
                report.bad.append(BadRow(path.name, row.place, problem))
            else:
                seen[_key(row)] = good[_key(row)] = row
        with transaction.atomic():
            _store(good, report)


def _problem(row: Row, seen: dict[Key, Row]) -> str:
    """Why the row stays out, or nothing."""
    texts = {
        "the task": (row.task, 1, 100),
        "the data set": (row.dataset, 1, 200),
        "the model's name": (row.model_name, 1, 300),
        "the catalogue": (row.catalogue, 1, 40),
        "the source": (row.source, 0, 300),
        "the image size": (row.image_size, 0, 10),
        "the paper's title": (row.paper.title if row.paper else "", 0, 500),
        **{f"the metric {metric[:40]!r}": (metric, 1, 100) for metric in row.figures},
    }
    for what, (text, shortest, longest) in texts.items():
        if not (shortest <= len(text) <= longest and text.isprintable() and text == text.strip()):
            return f"expected {what} to be {shortest} to {longest} printable characters, found {text[:60]!r}"
    if problem := _paper_problem(row.paper) or _number_problem(row):
        return problem
    if (earlier := seen.get(_key(row))) is not None:
        return f"expected a model once for each source, found it at {earlier.place} already"
    return ""


def _paper_problem(paper: PaperFacts | None) -> str:
    if paper and paper.arxiv_id and arxiv_id(paper.arxiv_id) != paper.arxiv_id:
        return f"expected an arXiv id such as 1611.05431, found {paper.arxiv_id[:40]!r}"
    if paper and paper.pwc_id and not _PWC_ID.fullmatch(paper.pwc_id):
        return f"expected an id of letters, digits and '-', found {paper.pwc_id[:40]!r}"
    if paper and paper.year is not None and not _FIRST_YEAR <= paper.year <= _LAST_YEAR:
        return f"expected the paper's year to be from {_FIRST_YEAR} to {_LAST_YEAR}, found {paper.year}"
    return ""


def _number_problem(row: Row) -> str:
    if row.parameters is not None and not 0 <= row.parameters < 2**63:
        return f"expected the parameters to be a count of 64 bits, found {str(row.parameters)[:40]}"
    if row.gflops is not None and not math.isfinite(row.gflops):
        return f"expected the operations to be a number, found {row.gflops}"
    return ""


def _store(rows: dict[Key, Row], report: ImportReport) -> None:
    papers = know_papers(row.paper for row in rows.values() if row.paper)
    old = _stored(rows)
    new: list[tuple[ReportedResult, Row]] = []
    for key, row in rows.items():
        wanted = _fields(row, papers)
        found = old.get(key)
        if found is None:
            new.append((ReportedResult(**wanted), row))
        elif _differs(found, wanted, row):
            ReportedResult.objects.filter(pk=found.pk).update(**wanted)
            ReportedFigure.objects.filter(result=found).delete()
            ReportedFigure.objects.bulk_create(_figures(found, row))
            report.changed += 1
        else:
            report.unchanged += 1
    ReportedResult.objects.bulk_create(result for result, _ in new)
    ReportedFigure.objects.bulk_create(figure for result, row in new for figure in _figures(result, row))
    report.added += len(new)


def _stored(rows: dict[Key, Row]) -> dict[Key, ReportedResult]:
    near = ReportedResult.objects.filter(
        benchmark__in={key[0] for key in rows}, model_name__in={key[2] for key in rows}
    ).prefetch_related("figures")
    return {(r.benchmark, r.catalogue, r.model_name, r.image_size, r.source): r for r in near}


def _key(row: Row) -> Key:
    return benchmark_slug(row.task, row.dataset), row.catalogue, row.model_name, row.image_size, row.source


def _fields(row: Row, papers: dict[PaperFacts, Paper]) -> dict[str, object]:
    first, figure = next(iter(row.figures.items()))
    return {
        "reporter": row.reporter,
        "catalogue": row.catalogue,
        "source": row.source,
        "paper": papers[row.paper] if row.paper else None,
        "task": row.task,
        "dataset": row.dataset,
        "benchmark": benchmark_slug(row.task, row.dataset),
        "model_name": row.model_name,
        "model_key": model_key(row.model_name),
        "architecture_key": model_key(architecture_of(row.model_name, row.catalogue)),
        "image_size": row.image_size,
        "parameters": row.parameters,
        "gflops": row.gflops,
        "extra_training_data": row.extra_training_data,
        "rank_value": float(-figure.value if lower_is_better(first) else figure.value),
    }


def _differs(found: ReportedResult, wanted: dict[str, object], row: Row) -> bool:
    texts = [(figure.metric, figure.text) for figure in found.figures.all()]
    if texts != [(metric, figure.text) for metric, figure in row.figures.items()]:
        return True
    return any(getattr(found, name) != value for name, value in wanted.items() if name != "paper") or (
        found.paper_id != (wanted["paper"].pk if isinstance(wanted["paper"], Paper) else None)
    )


def _figures(result: ReportedResult, row: Row) -> list[ReportedFigure]:
    return [
        ReportedFigure(
            result=result, metric=metric, text=figure.text, value=float(figure.value), step=float(figure.step)
        )
        for metric, figure in row.figures.items()
    ]
