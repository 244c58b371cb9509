"""A benchmark's results and published figures as points: the first metric against parameters or year."""

from dataclasses import dataclass

from django.db.models import OuterRef, QuerySet, Subquery

from sotabench.server.benchmarks.models import Benchmark, Metric, Result
from sotabench.server.papers.models import ReportedFigure, ReportedResult
from sotabench.server.papers.queries import papers_of

AGAINST = ("parameters", "year")
MOST_OWN, MOST_PUBLISHED = 600, 2_500
MOST = 1e15
"""Beyond it no number is drawn: neither a count of parameters nor a figure is as large."""

_KINDS = ("catalogue", "paper", "own")


@dataclass(frozen=True)
class Plotted:
    """One model: `x` is how many parameters it has, or the year of its paper; `y` is its figure.

    Parameters are from 1 to `MOST`, figures from `-MOST` to `MOST`. `kind` is `own` for a result of a repository, whose
    key is `result`; else who reports it, `paper` or `catalogue`.
    """

    x: float
    y: float
    name: str
    kind: str
    result: int | None = None
    paper: str | None = None


def plotted(
    benchmark: Benchmark, results: QuerySet[Result], reported: QuerySet[ReportedResult], *, against: str
) -> list[Plotted]:
    """The best results and published rows that say both numbers; catalogues first, then papers, then results."""
    metric = next(iter(benchmark.metrics.all()), None)
    if metric is None:
        return []
    found = [*_published(reported, metric, against), *_own(results, metric, against)]
    return sorted(found, key=lambda one: _KINDS.index(one.kind))


def _own(results: QuerySet[Result], metric: Metric, against: str) -> list[Plotted]:
    """The best results. Of each only a few numbers are read: a picture needs no records."""
    sign = 1 if metric.higher_is_better else -1
    bare = results.select_related(None).prefetch_related(None)
    rows = list(bare.values_list("pk", "model_name", "rank_value", "parameters", "arxiv_id", "pwc_id")[:MOST_OWN])
    named = rows if against == "year" else []
    by_arxiv, by_pwc = papers_of((row[4] for row in named), (row[5] for row in named))
    found = []
    for pk, name, value, parameters, arxiv_id, pwc_id in rows:
        paper = by_arxiv.get(arxiv_id) or by_pwc.get(pwc_id)
        x = parameters if against == "parameters" else (paper.year if paper else None)
        if x and value is not None and _can_be_drawn(x, value):
            found.append(Plotted(float(x), sign * value, name, "own", result=pk))
    return found


def _published(rows: QuerySet[ReportedResult], metric: Metric, against: str) -> list[Plotted]:
    """The best published rows, as few columns of them."""
    x = "parameters" if against == "parameters" else "paper__year"
    figures = ReportedFigure.objects.filter(result=OuterRef("pk"), metric=metric.name).values("value")[:1]
    bare = rows.filter(rank_value__isnull=False).select_related(None).prefetch_related(None)
    columns = bare.annotate(y=Subquery(figures)).values_list(x, "y", "model_name", "paper__slug", "reporter")
    return [
        Plotted(float(x), y, name, kind, paper=slug)
        for x, y, name, slug, kind in columns[:MOST_PUBLISHED]
        if x and y is not None and _can_be_drawn(x, y)
    ]


def _can_be_drawn(x: float, y: float) -> bool:
    """Whether neither is nonsense: what one account declares must not spoil everybody's picture."""
    return 1 <= x <= MOST and abs(y) <= MOST
