"""Rows of published figures, as papers and catalogues give them."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from sotabench.server.benchmarks.matching import Published
from sotabench.server.benchmarks.models import Metric
from sotabench.server.benchmarks.verdicts import Comparison
from sotabench.server.papers.models import ReportedFigure, ReportedResult
from sotabench.server.web.formats import published_text, safe_url


@dataclass(frozen=True)
class PublishedRow:
    """A published row: a text for each metric, empty where it gives none; `beside` is a result's figure against it."""

    row: ReportedResult
    texts: tuple[str, ...]
    beside: Comparison | None = None

    @property
    def source_url(self) -> str:
        """Where it is published, when that is an address."""
        return safe_url(self.row.source)


def published_rows(rows: Iterable[ReportedResult], metrics: Sequence[Metric]) -> list[PublishedRow]:
    """A row for each, whose figures are read already."""
    return [PublishedRow(row, _texts(row, metrics)) for row in rows]


def catalogue_rows(published: Iterable[Published], metrics: Sequence[Metric]) -> list[PublishedRow]:
    """Rows of catalogues, each with how the result's first metric stands against it."""
    return [
        PublishedRow(one.row, _texts(one.row, metrics), one.comparisons[0] if one.comparisons else None)
        for one in published
    ]


def _texts(row: ReportedResult, metrics: Sequence[Metric]) -> tuple[str, ...]:
    figures = {figure.metric: figure for figure in row.figures.all()}
    return tuple(_text(figures.get(metric.name), metric) for metric in metrics)


def _text(figure: ReportedFigure | None, metric: Metric) -> str:
    if figure is None:
        return ""
    return published_text(figure.value, figure.text, step=figure.step, is_fraction=metric.is_fraction)
