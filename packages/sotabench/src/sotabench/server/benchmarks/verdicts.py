"""Whether a measured figure reproduces a published one."""

from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

from sotabench.server.benchmarks.models import Figure, Metric

POINT = Decimal("0.001")
"""What a fraction may fall below the published one besides its rounding: 0.1 percentage points."""


class Verdict(StrEnum):
    """What can be said of a figure beside a published one."""

    REPRODUCES = "reproduces"
    BETTER = "better"
    FALLS_SHORT = "falls short"
    NOT_COMPARABLE = "not comparable"


@dataclass(frozen=True)
class Comparison:
    """One metric, measured and published. `difference` is measured minus published; `reason` says why not comparable.

    `step` is what the last published digit is worth; that and `difference` are in the metric's own unit: of a fraction,
    0.01 is one point.
    The interval is there to be shown: it widens with fewer images, and few images must not make a figure good.
    """

    metric: str
    measured: float
    interval: tuple[float, float] | None
    published: float
    published_text: str
    step: float
    is_fraction: bool
    difference: float
    verdict: Verdict
    reason: str = ""

    @property
    def holds(self) -> bool:
        """Whether the published figure stands: reproduced, or more."""
        return self.verdict in {Verdict.REPRODUCES, Verdict.BETTER}


def compare_figure(
    figure: Figure, metric: Metric, *, published: float, step: float, text: str, not_comparable: str = ""
) -> Comparison:
    """The figure beside the published one, whose last digit is worth `step`.

    It reproduces unless it is worse by more than half a step (the published figure was rounded) plus, for a fraction,
    0.1 points; it is better when it is better by more than that. All in decimal digits, so the borders are exact.
    """
    measured, wanted = Decimal(repr(figure.value)), Decimal(repr(published))
    difference = measured - wanted
    tolerance = Decimal(repr(step)) / 2 + (POINT if metric.is_fraction else 0)
    gain = difference if metric.higher_is_better else -difference
    if not_comparable:
        verdict = Verdict.NOT_COMPARABLE
    elif gain < -tolerance:
        verdict = Verdict.FALLS_SHORT
    else:
        verdict = Verdict.BETTER if gain > tolerance else Verdict.REPRODUCES
    return Comparison(
        metric=figure.name,
        measured=figure.value,
        interval=None if figure.low is None or figure.high is None else (figure.low, figure.high),
        published=published,
        published_text=text,
        step=step,
        is_fraction=metric.is_fraction,
        difference=float(difference),
        verdict=verdict,
        reason=not_comparable,
    )
