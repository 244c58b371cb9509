"""A page of one's own results, for a person without a site: one HTML file that needs nothing else.

Everything in a record is a stranger's text to the reader of the page: it is escaped, and links lead to arXiv only.
"""

import json
import re
from collections.abc import Mapping, Sequence
from html import escape
from itertools import groupby
from pathlib import Path
from typing import Any

from benchrecord import printable
from sotabench.errors import Unusable

_ARXIV = re.compile(r"[0-9]{4}\.[0-9]{4,5}(?:v[0-9]+)?|[a-z-]+(?:\.[A-Z]{2})?/[0-9]{7}(?:v[0-9]+)?")
_STYLE = (
    "body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem}"
    "table{border-collapse:collapse;width:100%}th,td{text-align:left;padding:.3rem .6rem;border-bottom:1px solid #ccc}"
    "td.number,th.number{text-align:right;font-variant-numeric:tabular-nums}pre{overflow:auto;background:#f4f4f4}"
)
_PAGE = """<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>Results</title>
<meta name="viewport" content="width=device-width">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<style>{style}</style></head><body>
<h1>Results</h1>
<p>Self-reported: computed and published by the author of the evaluation, scored by nobody else.</p>
{sections}
</body></html>
"""

Record = Mapping[str, Any]


def write_page(records: Sequence[Record], folder: Path) -> Path:
    """Write `index.html` and the records into the folder; the page's path. Raises Unusable when the disk refuses."""
    by_benchmark = sorted(records, key=_benchmark)
    sections = [_section(name, list(group)) for name, group in groupby(by_benchmark, key=_benchmark)]
    page = folder / "index.html"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        page.write_text(_PAGE.format(style=_STYLE, sections="\n".join(sections)), encoding="utf-8")
        (folder / "records.json").write_text(json.dumps(list(records), indent=2), encoding="utf-8")
    except OSError as error:
        raise Unusable(f"expected to write a page into {str(folder)!r}, found: {error.strerror}") from error
    return page


def _benchmark(record: Record) -> str:
    return f"{record['task']} on {record['dataset_name']}"


def _section(name: str, records: list[Record]) -> str:
    metrics = list(dict.fromkeys(metric for record in records for metric in record["results"]))
    first = metrics[0] if metrics else ""
    ranked = sorted(records, key=lambda record: record["results"].get(first, float("-inf")), reverse=True)
    head = "".join(f'<th class="number">{_text(metric)}</th>' for metric in metrics)
    rows = "\n".join(_row(record, metrics) for record in ranked)
    details = "\n".join(_details(record) for record in ranked)
    return (
        f'<h2>{_text(name)}</h2>\n<table><tr><th>Model</th>{head}<th class="number">Images</th><th>Paper</th></tr>\n'
        f"{rows}</table>\n{details}"
    )


def _row(record: Record, metrics: Sequence[str]) -> str:
    cells = "".join(f'<td class="number">{_figure(record, metric)}</td>' for metric in metrics)
    return (
        f'<tr><td>{_text(_model(record))}</td>{cells}<td class="number">{_text(record.get("samples") or "")}</td>'
        f"<td>{_paper(record)}</td></tr>"
    )


def _figure(record: Record, metric: str) -> str:
    value = record["results"].get(metric)
    if value is None:
        return ""
    if "accuracy" not in metric.lower():
        return _text(f"{value:.6g}")
    interval = (record.get("intervals") or {}).get(metric)
    return f"{value:.3%}" + (f"<br><small>{interval[0]:.2%} to {interval[1]:.2%}</small>" if interval else "")


def _paper(record: Record) -> str:
    found = record.get("arxiv_id")
    if not found:
        return ""
    return f'<a href="https://arxiv.org/abs/{found}">{found}</a>' if _ARXIV.fullmatch(found) else _text(found)


def _details(record: Record) -> str:
    content = escape(json.dumps(record, indent=2))
    return f"<details><summary>{_text(_model(record))}: the whole record</summary><pre>{content}</pre></details>"


def _model(record: Record) -> str:
    return record.get("model") or "unnamed model"


def _text(value: object) -> str:
    return escape(printable(str(value), 300))
