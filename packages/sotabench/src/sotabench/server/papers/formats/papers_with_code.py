"""The archived dump of Papers With Code, `evaluation-tables.json`, plain or gzipped.

A list of tasks; each has `task`, `datasets` and `subtasks` (tasks again); a data set has `dataset`, `sota` and
`subdatasets` (with `subdataset` for a name); `sota` has `metrics`, best known first, and `rows`.
"""

import gzip
import json
import zlib
from collections.abc import Iterator, Mapping
from datetime import date
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from sotabench.server.papers.formats.row import NOT_GIVEN, BadRow, PaperFacts, Reporter, Row, figures_of
from sotabench.server.papers.published import Published, count_of
from sotabench.server.papers.spelling import arxiv_id

MOST_BYTES = 1 << 30
"""Of the dump unpacked, which is a fifth of that: a few megabytes can stand for terabytes."""

_DEEPEST = 8
_PARAMETERS = "number of params"
_GFLOPS = "gflops"

Found = Iterator[Row | BadRow]


def read_evaluation_tables(path: Path) -> Found:
    """Every row of every table in the dump, those of subtasks and of parts of data sets too."""
    try:
        tasks = json.loads(_content(path))
    except (ValueError, RecursionError, gzip.BadGzipFile, EOFError, zlib.error) as error:
        yield BadRow(path.name, "the file", f"expected JSON, found: {error}")
        return
    for place, task in enumerate(tasks if isinstance(tasks, list) else [tasks]):
        yield from _task(path.name, f"task {place}", task, _DEEPEST)


def _content(path: Path) -> bytes:
    with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
        content = file.read(MOST_BYTES + 1)
    if len(content) > MOST_BYTES:
        raise ValueError(f"more than {MOST_BYTES} bytes")
    return content


def _task(file: str, place: str, task: object, depth: int) -> Found:
    if not isinstance(task, dict) or not isinstance(task.get("task"), str) or depth == 0:
        yield BadRow(file, place, "expected a task: an object with its name as `task`, its `datasets` and `subtasks`")
        return
    for dataset in _list(task, "datasets"):
        yield from _dataset(file, task["task"], "", dataset, depth)
    for number, subtask in enumerate(_list(task, "subtasks")):
        yield from _task(file, f"{task['task']}, subtask {number}", subtask, depth - 1)


def _dataset(file: str, task: str, above: str, dataset: object, depth: int) -> Found:
    name = (dataset.get("dataset") or dataset.get("subdataset")) if isinstance(dataset, dict) else None
    if not isinstance(dataset, dict) or not isinstance(name, str) or depth == 0:
        yield BadRow(file, task, "expected a data set: an object with its name as `dataset`, and `sota`")
        return
    full = f"{above} {name}".strip()
    sota = dataset.get("sota")
    sota = sota if isinstance(sota, dict) else {}
    order = [metric for metric in _list(sota, "metrics") if isinstance(metric, str)]
    for number, row in enumerate(_list(sota, "rows")):
        place = f"{task} on {full}, row {number}"
        try:
            yield _row(place, (task, full), order, row)
        except ValueError as error:
            yield BadRow(file, place, str(error))
    for part in _list(dataset, "subdatasets"):
        yield from _dataset(file, task, full, part, depth - 1)


def _row(place: str, table: tuple[str, str], order: list[str], row: object) -> Row:
    metrics = row.get("metrics") if isinstance(row, dict) else None
    if not isinstance(row, dict) or not isinstance(row.get("model_name"), str) or not isinstance(metrics, dict):
        raise ValueError("expected a row with `model_name` and `metrics`, found another")  # noqa: TRY004 - one kind of bad row
    texts = {metric: str(value) for metric, value in metrics.items() if value is not None}
    url, extra = str(row.get("paper_url") or ""), row.get("uses_additional_data")
    return Row(
        place=place,
        task=table[0],
        dataset=table[1],
        model_name=row["model_name"],
        figures=_figures(texts, order),
        reporter=Reporter.PAPER,
        catalogue="papers-with-code",
        source=url,
        paper=_paper(row, url),
        parameters=_count(texts),
        gflops=_gflops(texts),
        extra_training_data=extra if isinstance(extra, bool) else None,
    )


def _figures(texts: Mapping[str, str], order: list[str]) -> dict[str, Published]:
    ranked = [metric for metric in order if metric in texts]
    rest = [metric for metric in texts if metric not in ranked]
    return figures_of(
        [(metric, texts[metric]) for metric in ranked + rest if metric.lower() not in {_PARAMETERS, _GFLOPS}]
    )


def _given(texts: Mapping[str, str], name: str) -> str:
    text = next((text for metric, text in texts.items() if metric.lower() == name), "")
    return "" if text.strip().lower() in NOT_GIVEN else text


def _count(texts: Mapping[str, str]) -> int | None:
    text = _given(texts, _PARAMETERS)
    return count_of("Number of params", text) if text else None


def _gflops(texts: Mapping[str, str]) -> float | None:
    text = _given(texts, _GFLOPS)
    return float(text) if text else None


def _paper(row: Mapping[str, Any], url: str) -> PaperFacts | None:
    title = str(row.get("paper_title") or "").strip()
    if not title:
        return None
    parts = urlsplit(url)
    at_arxiv = parts.hostname in {"arxiv.org", "www.arxiv.org"}
    at_home = parts.hostname in {"paperswithcode.com", "www.paperswithcode.com"} and parts.path.startswith("/paper/")
    day = _date(row.get("paper_date"))
    return PaperFacts(
        title,
        arxiv_id=arxiv_id(parts.path) if at_arxiv else "",
        pwc_id=parts.path.removeprefix("/paper/").strip("/") if at_home else "",
        year=day.year if day else None,
        published_on=day,
    )


def _date(text: object) -> date | None:
    if not isinstance(text, str) or not text:
        return None
    return date.fromisoformat(text)


def _list(item: Mapping[str, Any], key: str) -> list[Any]:
    found = item.get(key)
    return found if isinstance(found, list) else []
