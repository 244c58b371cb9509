"""A benchmark's results and published figures as points of a plot; the template draws them as SVG."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache

from django.db.models import QuerySet
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe

from sotabench.server.benchmarks.models import Benchmark, Metric, Result
from sotabench.server.benchmarks.plotted import Plotted, plotted
from sotabench.server.papers.models import ReportedResult
from sotabench.server.web.beside import show
from sotabench.server.web.formats import amount, plain

WIDTH, HEIGHT = 880, 460
LEFT, RIGHT, TOP, BOTTOM = 70, 20, 20, 50
_STEPS = (1, 2, 5)
_FINEST = 1e-9
_MARKS = {
    "catalogue": '<g class="point catalogue"><title>{}</title><circle cx="{}" cy="{}" r="3"/></g>',
    "paper": '<g class="point paper"><title>{}</title>'
    '<rect x="{}" y="{}" width="8" height="8" transform="translate(-4 -4)"/></g>',
    "own": '<g class="point own"><title>{}</title><circle cx="{}" cy="{}" r="6"/></g>',
}


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

    def drawn_points(self) -> SafeString:
        """The points as SVG. Thousands of them: written here, because a template takes ten times as long."""
        return mark_safe("\n".join(map(_drawn_point, self.points)))  # noqa: S308 - each was made by format_html


def plot_of(
    benchmark: Benchmark, results: QuerySet[Result], reported: QuerySet[ReportedResult], *, against: str
) -> Plot | None:
    """The best models' first metric against parameters (on a logarithmic axis) or year; None with nothing to show."""
    found = plotted(benchmark, results, reported, against=against)
    metric = next(iter(benchmark.metrics.all()), None)
    return _drawn(found, metric, against) if metric and found else None


def _drawn(found: Sequence[Plotted], metric: Metric, against: str) -> Plot:
    is_log = against == "parameters"
    across: Callable[[float], float] = math.log10 if is_log else float
    x_low, x_high = _widened([across(one.x) for one in found], least=0.5 if is_log else 1)
    y_low, y_high = _widened([one.y for one in found], least=0.01 if metric.is_fraction else 1e-9)

    def x_at(value: float) -> float:
        return round(LEFT + (across(value) - x_low) / (x_high - x_low) * (WIDTH - LEFT - RIGHT), 1)

    def y_at(value: float) -> float:
        return round(HEIGHT - BOTTOM - (value - y_low) / (y_high - y_low) * (HEIGHT - TOP - BOTTOM), 1)

    link_of_paper = cache(lambda slug: reverse("paper", args=[slug]) if slug else "")

    def link_of(one: Plotted) -> str:
        return reverse("result", args=[one.result]) if one.result is not None else link_of_paper(one.paper)

    years = _years(x_low, x_high)
    x_ticks = _powers(x_low, x_high) if is_log else years
    return Plot(
        points=tuple(Point(x_at(one.x), y_at(one.y), _label(one, metric), link_of(one), one.kind) for one in found),
        x_ticks=tuple(Tick(x_at(value), amount(value) if is_log else f"{value:.0f}") for value in x_ticks),
        y_ticks=tuple(Tick(y_at(value), show(value, metric, 1000)) for value in _round_steps(y_low, y_high)),
        x_name="parameters" if is_log else "year of the paper",
        y_name=metric.name,
    )


def _label(one: Plotted, metric: Metric) -> str:
    return f"{one.name}: {show(one.y, metric)}"


def _drawn_point(one: Point) -> SafeString:
    mark = format_html(_MARKS[one.kind], plain(one.label), one.x, one.y)
    return format_html('<a href="{}">{}</a>', one.link, mark) if one.link else mark


def _widened(values: Sequence[float], *, least: float) -> tuple[float, float]:
    """From a little below the least to a little above the greatest, at least `least` apart and as far as digits go."""
    low, high = min(values), max(values)
    least = max(least, _FINEST * max(abs(low), abs(high)))
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
