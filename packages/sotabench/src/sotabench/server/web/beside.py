"""Rows of a page: a result's figures, each with its interval, its tier and the published one beside it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from sotabench.server.benchmarks.figures import MACS, PARAMETERS, SPEED
from sotabench.server.benchmarks.matching import PaperSide, beside_papers
from sotabench.server.benchmarks.models import Figure, Metric, Result
from sotabench.server.benchmarks.ranks import global_ranks, public_rank
from sotabench.server.benchmarks.verdicts import Comparison
from sotabench.server.web.formats import number, percent, published_text


@dataclass(frozen=True)
class Cell:
    """One metric of one result; `figure` is None where it was not measured."""

    metric: Metric
    figure: Figure | None
    text: str
    interval: str
    comparison: Comparison | None
    published: str


@dataclass(frozen=True)
class Row:
    """One result on a page; `rank` is its place among the current public ones, if it is one of them."""

    result: Result
    rank: int | None
    cells: tuple[Cell, ...]
    side: PaperSide
    declared: dict[str, Figure]
    letters: tuple[str, ...] = ()

    @property
    def parameters(self) -> Figure | None:
        """How many numbers the model holds, as declared."""
        return self.declared.get(PARAMETERS)

    @property
    def macs(self) -> Figure | None:
        """Multiplications for one image, as declared."""
        return self.declared.get(MACS)

    @property
    def speed(self) -> Figure | None:
        """Images a second, as declared; only comparable under the same condition."""
        return self.declared.get(SPEED)

    @property
    def beside(self) -> str:
        """Whose figures stand beside: the key of a tier, or nothing."""
        return self.side.by or ""


def rows_of(results: Sequence[Result], letters: Mapping[int, tuple[str, ...]] | None = None) -> list[Row]:
    """A row for each result, of whatever benchmarks; a fixed number of queries, however many results.

    `letters` are those of ties, by the result's key, where they are known.
    """
    sides, ranks = beside_papers(results), global_ranks(results)
    rows = [_row(result, sides[result.pk], public_rank(result, ranks)) for result in results]
    return [replace(row, letters=letters.get(row.result.pk, ())) for row in rows] if letters else rows


def show(value: float, metric: Metric, samples: int | None = None) -> str:
    """The metric's value as people read it."""
    return percent(value, samples) if metric.is_fraction else number(value)


def interval_text(figure: Figure, metric: Metric, samples: int | None) -> str:
    """`78.95 to 79.67 %`, or nothing where no interval is known."""
    if figure.low is None or figure.high is None:
        return ""
    low, high = (show(end, metric, samples) for end in (figure.low, figure.high))
    return f"{low.removesuffix(' %')} to {high}"


def _row(result: Result, side: PaperSide, rank: int | None) -> Row:
    figures = {figure.name: figure for figure in result.figures.all()}
    metrics = list(result.benchmark.metrics.all())
    beside = {comparison.metric: comparison for comparison in side.comparisons}
    names = {metric.name for metric in metrics}
    return Row(
        result=result,
        rank=rank,
        cells=tuple(_cell(metric, figures.get(metric.name), beside.get(metric.name), result) for metric in metrics),
        side=side,
        declared={name: figure for name, figure in figures.items() if name not in names},
    )


def _cell(metric: Metric, figure: Figure | None, comparison: Comparison | None, result: Result) -> Cell:
    return Cell(
        metric=metric,
        figure=figure,
        text="" if figure is None else show(figure.value, metric, result.samples),
        interval="" if figure is None else interval_text(figure, metric, result.samples),
        comparison=comparison,
        published="" if comparison is None else _published(comparison),
    )


def _published(found: Comparison) -> str:
    return published_text(found.published, found.published_text, step=found.step, is_fraction=found.is_fraction)
