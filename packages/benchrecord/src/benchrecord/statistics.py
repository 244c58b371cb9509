"""Intervals for what was counted."""

from math import sqrt
from statistics import NormalDist


def wilson_interval(successes: int, trials: int, confidence: float = 0.95) -> tuple[float, float]:
    """The score interval of a proportion (Wilson, 1927), as fractions; no continuity correction.

    At 0 successes the lower end is exactly 0, at all successes the upper end is exactly 1.
    Raises ValueError unless 0 <= successes <= trials, 1 <= trials and 0 < confidence < 1.
    """
    if trials < 1 or not 0 <= successes <= trials:
        raise ValueError(f"expected 0 <= successes <= trials and at least one trial, got {successes} of {trials}")
    if not 0 < confidence < 1:
        raise ValueError(f"expected a confidence between 0 and 1, such as 0.95, got {confidence}")
    z = NormalDist().inv_cdf((1 + confidence) / 2)
    centre = successes + z * z / 2
    half = z * sqrt(successes * (trials - successes) / trials + z * z / 4)
    low = 0.0 if successes == 0 else (centre - half) / (trials + z * z)
    high = 1.0 if successes == trials else (centre + half) / (trials + z * z)
    return low, high
