"""A benchmark's results and published figures as points of a plot; the template draws them as SVG."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from django.db.models import QuerySet
from django.urls import reverse

from sotabench.server.benchmarks.figures import PARAMETERS
from sotabench.server.benchmarks.matching import beside_papers
from sotabench.server.benchmarks.models import Benchmark, Metric, Result
from sotabench.server.papers.models import ReportedResult
from sotabench.server.web.beside import show
from sotabench.server.web.formats import amount

WIDTH, HEIGHT = 880, 460
LEFT, RIGHT, TOP, BOTTOM = 70, 20, 20, 50
_MOST_OWN, _MOST_PUBLISHED = 600, 2_500
_STEPS = (1, 2, 5)
_KINDS = ("catalogue", "paper", "own")


@dataclass(frozen=True)
class Point:
    """One model: where it is in the picture, what it is called, where its page is."""

    x: float
    y: float
    label: str
    link: str
    kind: str


@dataclass(frozen=True)
class Tick:
    """A line of the grid and what is written at it."""

    at: float
    text: str


@dataclass(frozen=True)
class Plot:
    """All that the picture holds, in its own coordinates."""

    points: tuple[Point, ...]
    x_ticks: tuple[Tick, ...]
    y_ticks: tuple[Tick, ...]
    x_name: str
    y_name: str
    width: int = WIDTH
    height: int = HEIGHT
    left: int = LEFT
    right: int = WIDTH - RIGHT
    top: int = TOP
    bottom: int = HEIGHT - BOTTOM


@dataclass(frozen=True)
class _Found:
    """One model before it has a place: its two numbers in the units of the axes."""

    x: float
    y: float
    name: str
    link: str
    kind: str


def plot_of(
    benchmark: Benchmark, results: QuerySet[Result], reported: QuerySet[ReportedResult], *, against: str
) -> Plot | None:
    """The best models' first metric against parameters (on a logarithmic axis) or year; None with nothing to show."""
    metric = next(iter(benchmark.metrics.all()), None)
    if metric is None:
        return None
    own = _own(benchmark, list(results[:_MOST_OWN]), metric, against)
    found = [*_published(reported.filter(rank_value__isnull=False)[:_MOST_PUBLISHED], metric, against), *own]
    # What is drawn last lies on top: results over papers over catalogues.
    found.sort(key=lambda one: _KINDS.index(one.kind))
    return _drawn(found, metric, against) if found else None


def _own(benchmark: Benchmark, results: Sequence[Result], metric: Metric, against: str) -> list[_Found]:
    for result in results:
        result.benchmark = benchmark
    sides = beside_papers(results) if against == "year" else {}
    found = []
    for result in results:
        figures = {figure.name: figure.value for figure in result.figures.all()}
        paper = sides[result.pk].paper if sides else None
        x = figures.get(PARAMETERS) if against == "parameters" else (paper and paper.year)
        if x and metric.name in figures:
            link = reverse("result", args=[result.pk])
            found.append(_Found(float(x), figures[metric.name], result.model_name, link, "own"))
    return found


def _published(rows: QuerySet[ReportedResult], metric: Metric, against: str) -> list[_Found]:
    found = []
    for row in rows:
        x = row.parameters if against == "parameters" else (row.paper and row.paper.year)
        value = next((figure.value for figure in row.figures.all() if figure.metric == metric.name), None)
        if x and value is not None:
            link = reverse("paper", args=[row.paper.slug]) if row.paper else ""
            found.append(_Found(float(x), value, row.model_name, link, row.reporter))
    return found


def _drawn(found: Sequence[_Found], metric: Metric, against: str) -> Plot:
    is_log = against == "parameters"
    across: Callable[[float], float] = math.log10 if is_log else float
    x_low, x_high = _widened([across(one.x) for one in found], least=0.5 if is_log else 1)
    y_low, y_high = _widened([one.y for one in found], least=0.01 if metric.is_fraction else 1e-9)

    def x_at(value: float) -> float:
        return round(LEFT + (across(value) - x_low) / (x_high - x_low) * (WIDTH - LEFT - RIGHT), 1)

    def y_at(value: float) -> float:
        return round(HEIGHT - BOTTOM - (value - y_low) / (y_high - y_low) * (HEIGHT - TOP - BOTTOM), 1)

    years = _years(x_low, x_high)
    x_ticks = _powers(x_low, x_high) if is_log else years
    return Plot(
        points=tuple(Point(x_at(one.x), y_at(one.y), _label(one, metric), one.link, one.kind) for one in found),
        x_ticks=tuple(Tick(x_at(value), amount(value) if is_log else f"{value:.0f}") for value in x_ticks),
        y_ticks=tuple(Tick(y_at(value), show(value, metric, 1000)) for value in _round_steps(y_low, y_high)),
        x_name="parameters" if is_log else "year of the paper",
        y_name=metric.name,
    )


def _label(one: _Found, metric: Metric) -> str:
    return f"{one.name}: {show(one.y, metric)}"


def _widened(values: Sequence[float], *, least: float) -> tuple[float, float]:
    """From a little below the least to a little above the greatest, at least `least` apart."""
    low, high = min(values), max(values)
    edge = max((high - low) * 0.05, (least - (high - low)) / 2)
    return low - edge, high + edge


def _powers(low: float, high: float) -> list[float]:
    """1, 2 and 5 times the powers of ten between the two exponents; only the powers when they are many."""
    powers = range(math.floor(low), math.ceil(high) + 1)
    steps = _STEPS if high - low < 3 else _STEPS[:1]
    return [step * 10.0**power for power in powers for step in steps if low <= math.log10(step * 10.0**power) <= high]


def _years(low: float, high: float) -> list[float]:
    step = max(1, math.ceil((high - low) / 12))
    return [float(year) for year in range(math.ceil(low), math.floor(high) + 1, step)]


def _round_steps(low: float, high: float) -> list[float]:
    """Some eight round numbers between the two."""
    rough = (high - low) / 8
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(power * times for times in (*_STEPS, 10) if power * times >= rough)
    return [round(step * number, 12) for number in range(math.ceil(low / step), math.floor(high / step) + 1)]
