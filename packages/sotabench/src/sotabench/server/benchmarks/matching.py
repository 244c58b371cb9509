"""Code beside paper: which published figures belong beside a result, and what can be said of them."""

import json
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum
from typing import Any

from django.db.models import prefetch_related_objects

from sotabench.server.benchmarks.models import Benchmark, Metric, Result
from sotabench.server.benchmarks.records import record_of
from sotabench.server.benchmarks.verdicts import Comparison, compare_figure
from sotabench.server.papers.models import Paper, ReportedResult
from sotabench.server.papers.queries import catalogue_rows, papers_of, rows_of


class Match(StrEnum):
    """How a result meets its paper."""

    NO_PAPER = "the file names no paper"
    PAPER_UNKNOWN = "this paper is not known here"
    MODEL_NOT_REPORTED = "the paper is known, but this model is not among those that it reports"
    SEVERAL = "the paper reports several models of this name"
    MATCHED = "the paper reports this model"


@dataclass(frozen=True)
class Published:
    """A published row, and the result's figures beside it."""

    row: ReportedResult
    comparisons: tuple[Comparison, ...]

    @property
    def holds(self) -> bool:
        """Whether every figure that can be compared stands, and one can be."""
        return bool(self.comparisons) and all(comparison.holds for comparison in self.comparisons)


@dataclass(frozen=True)
class PaperSide:
    """All that is published about a result's model.

    - `paper`: the paper that the file names, when it is known here
    - `published`: the paper's own row for this model; only with `Match.MATCHED`
    - `candidates`: the paper's rows that may be meant; only with `Match.SEVERAL`, nothing is guessed
    - `by_author`: comparisons with the `paper_results` in the file, which its author reports
    - `catalogues`: what catalogues of models publish under this name; the weights' own row first, when it is named
    """

    match: Match
    paper: Paper | None = None
    published: Published | None = None
    candidates: tuple[ReportedResult, ...] = ()
    by_author: tuple[Comparison, ...] = ()
    catalogues: tuple[Published, ...] = ()
    reported_models: tuple[str, ...] = field(default=())

    @property
    def by(self) -> str | None:
        """Who reports the figures that count: `paper`, or `author` of the file, or nobody."""
        if self.published:
            return "paper"
        return "author" if self.by_author else None

    @property
    def comparisons(self) -> tuple[Comparison, ...]:
        """The comparisons that count: with the paper's row, else with what the file's author reports."""
        return self.published.comparisons if self.published else self.by_author

    @property
    def holds(self) -> bool:
        """Whether it earns its tick."""
        return bool(self.comparisons) and all(comparison.holds for comparison in self.comparisons)


def beside_papers(results: Sequence[Result]) -> dict[int, PaperSide]:
    """The paper's side of each result, by its key; a fixed number of queries, whatever the number of results."""
    prefetch_related_objects(results, "figures", "benchmark__metrics", "benchmark__variant_of")
    by_arxiv, by_pwc = papers_of((r.arxiv_id for r in results if r.arxiv_id), (r.pwc_id for r in results if r.pwc_id))
    slugs = {_whole(result.benchmark).slug for result in results}
    reported: dict[tuple[int | None, str], list[ReportedResult]] = defaultdict(list)
    for row in rows_of({*by_arxiv.values(), *by_pwc.values()}, slugs):
        reported[row.paper_id, row.benchmark].append(row)
    in_catalogues: dict[tuple[str, str], list[ReportedResult]] = defaultdict(list)
    for row in catalogue_rows((result.model_key for result in results), slugs):
        for key in {row.model_key, row.architecture_key}:
            in_catalogues[key, row.benchmark].append(row)
    sides = {}
    for result in results:
        slug = _whole(result.benchmark).slug
        paper = by_arxiv.get(result.arxiv_id) or by_pwc.get(result.pwc_id)
        rows = reported[paper.pk, slug] if paper else []
        sides[result.pk] = _side(result, paper, rows, in_catalogues[result.model_key, slug])
    return sides


def _side(
    result: Result, paper: Paper | None, rows: list[ReportedResult], catalogues: list[ReportedResult]
) -> PaperSide:
    record = record_of(result)
    meant = [row for row in rows if row.model_key == result.model_key]
    alike = _one_figure_set(meant)
    match = _match(record, paper, meant, alike=alike)
    return PaperSide(
        match=match,
        paper=paper,
        published=_beside(result, meant[0]) if match is Match.MATCHED else None,
        candidates=tuple(meant) if match is Match.SEVERAL else (),
        by_author=_by_author(result, record.get("paper_results") or {}),
        catalogues=tuple(_beside(result, row) for row in _weights_first(catalogues, record)),
        reported_models=tuple(dict.fromkeys(row.model_name for row in rows)),
    )


def _match(record: dict[str, Any], paper: Paper | None, meant: list[ReportedResult], *, alike: bool) -> Match:
    if paper is None:
        named = any((record.get(name) or "").strip() for name in ("arxiv_id", "pwc_id"))
        return Match.PAPER_UNKNOWN if named else Match.NO_PAPER
    if not meant:
        return Match.MODEL_NOT_REPORTED
    return Match.MATCHED if alike else Match.SEVERAL


def _one_figure_set(rows: list[ReportedResult]) -> bool:
    """Whether the rows say the same wherever two of them speak of one metric, so that it is one model."""
    values: dict[str, float] = {}
    return all(values.setdefault(f.metric, f.value) == f.value for row in rows for f in row.figures.all())


def _weights_first(rows: list[ReportedResult], record: dict[str, Any]) -> list[ReportedResult]:
    """The rows, the one whose weights the record says were fetched before all others."""
    fetched = json.dumps(record.get("weights") or [])
    return sorted(rows, key=lambda row: not (row.source.endswith(".pth") and row.source in fetched))


def _beside(result: Result, row: ReportedResult) -> Published:
    metrics, figures = _named(result.benchmark.metrics.all()), {f.name: f for f in result.figures.all()}
    return Published(
        row,
        tuple(
            compare_figure(
                figures[other.metric],
                metrics[other.metric],
                published=other.value,
                step=other.step,
                text=other.text,
                not_comparable=result.benchmark.why_variant,
            )
            for other in row.figures.all()
            if other.metric in figures and other.metric in metrics
        ),
    )


def _by_author(result: Result, paper_results: dict[str, float]) -> tuple[Comparison, ...]:
    metrics, figures = _named(result.benchmark.metrics.all()), {f.name: f for f in result.figures.all()}
    return tuple(
        compare_figure(
            figures[name],
            metrics[name],
            published=float(value),
            step=_step(value),
            text=repr(value),
            not_comparable=result.benchmark.why_variant,
        )
        for name, value in paper_results.items()
        if name in figures and name in metrics
    )


def _step(value: float) -> float:
    exponent = Decimal(repr(value)).as_tuple().exponent
    return float(Decimal(1).scaleb(exponent)) if isinstance(exponent, int) else 1.0


def _named(metrics: Iterable[Metric]) -> dict[str, Metric]:
    return {metric.name: metric for metric in metrics}


def _whole(benchmark: Benchmark) -> Benchmark:
    return benchmark.variant_of or benchmark
