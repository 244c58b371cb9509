"""The geometry of the page's plots: plain numbers, which the template draws as SVG."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from benchrecord import Bin, PerClass

WIDTH, HEIGHT = 360, 260
_LEFT, _RIGHT, _TOP, _BOTTOM = 54, 338, 12, 218


@dataclass(frozen=True)
class Tick:
    """A mark on an axis, at a place in the drawing."""

    at: float
    text: str


@dataclass(frozen=True)
class Bar:
    """A rectangle, and what it says when it is pointed at."""

    x: float
    y: float
    width: float
    height: float
    kind: str
    title: str


@dataclass(frozen=True)
class Plot:
    """Bars and lines (points of a polyline as SVG writes them) between two axes."""

    title: str
    across: str
    up: str
    x_ticks: Sequence[Tick]
    y_ticks: Sequence[Tick]
    bars: Sequence[Bar] = ()
    lines: Sequence[tuple[str, str]] = ()
    width: int = WIDTH
    height: int = HEIGHT
    left: int = _LEFT
    right: int = _RIGHT
    top: int = _TOP
    bottom: int = _BOTTOM


def x_at(share: float) -> float:
    """Where a share of the horizontal axis is in the drawing."""
    return round(_LEFT + share * (_RIGHT - _LEFT), 2)


def y_at(share: float) -> float:
    """Where a share of the vertical axis is in the drawing, whose y grows downwards."""
    return round(_BOTTOM - share * (_BOTTOM - _TOP), 2)


def reliability_plot(bins: Sequence[Bin]) -> Plot:
    """Accuracy of each bin of confidence; the short lines are the bins' mean confidence, where the bars should end."""
    bars, lines = [], [(f"{x_at(0)},{y_at(0)} {x_at(1)},{y_at(1)}", "ideal")]
    for each in bins:
        if each.accuracy is None or each.confidence is None:
            continue
        said = f"{_range(each)}: {each.samples:,} images, {each.accuracy:.1%} right, mean confidence"
        bars.append(_bar(each, 0, each.accuracy, "right", f"{said} {each.confidence:.1%}"))
        mean = y_at(each.confidence)
        lines.append((f"{x_at(each.low) + 1},{mean} {x_at(each.high) - 1},{mean}", "mean"))
    return Plot(
        "Reliability: how often the model is right when it is this confident",
        "confidence", "accuracy", _percent_ticks(x_at), _percent_ticks(y_at), bars, lines,
    )  # fmt: skip


def confidence_plot(bins: Sequence[Bin]) -> Plot:
    """How many images have each confidence, right answers below, wrong ones on top of them."""
    most = max(each.samples for each in bins)
    bars = []
    for each in bins:
        wrong = each.samples - each.right
        said = f"{_range(each)}: {each.right:,} right, {wrong:,} wrong"
        bars.append(_bar(each, 0, each.right / most, "right", said))
        bars.append(_bar(each, each.right / most, wrong / most, "wrong", said))
    ticks = [Tick(y_at(count / most), f"{count:,}") for count in _round_counts(most)]
    return Plot(
        "Confidence of right and wrong answers",
        "confidence", "images", _percent_ticks(x_at), ticks, [bar for bar in bars if bar.height],
    )  # fmt: skip


def class_plot(classes: PerClass) -> Plot:
    """Accuracy of every class that has images, from the worst to the best."""
    found = sorted(accuracy for accuracy in classes.accuracy if accuracy is not None)
    points = [
        f"{x_at((place + side) / len(found))},{y_at(share)}" for place, share in enumerate(found) for side in (0, 1)
    ]
    ticks = [Tick(x_at(count / len(found)), f"{count:,}") for count in _round_counts(len(found))]
    return Plot(
        "Accuracy by class, sorted", "classes, the worst first", "accuracy",
        ticks, _percent_ticks(y_at), lines=[(" ".join(points), "curve")],
    )  # fmt: skip


def _bar(bin_: Bin, start: float, share: float, kind: str, title: str) -> Bar:
    x, top = x_at(bin_.low) + 1, y_at(start + share)
    return Bar(x, top, round(x_at(bin_.high) - 1 - x, 2), round(y_at(start) - top, 2), kind, title)


def _range(bin_: Bin) -> str:
    return f"confidence {bin_.low:.0%} to {bin_.high:.0%}"


def _percent_ticks(place: Callable[[float], float]) -> list[Tick]:
    return [Tick(place(quarter / 4), f"{25 * quarter} %") for quarter in range(5)]


def _round_counts(most: int) -> list[int]:
    """Up to six numbers from 0 to at most `most`, a step of 1, 2 or 5 and zeros apart."""
    step = next(digit * 10**zeros for zeros in range(20) for digit in (1, 2, 5) if most < 6 * digit * 10**zeros)
    return list(range(0, most + 1, step))
