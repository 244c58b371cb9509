"""Numbers as they were published: the digits that were given say how finely they were rounded."""

import re
from dataclasses import dataclass
from decimal import Decimal

LONGEST_TEXT = 40
_NUMBER = re.compile(r"[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d{1,2})?")
_COUNT = re.compile(r"(\d+(?:\.\d+)?)\s*([KMBGkmbg]?)")
_FACTORS = {"": 1, "k": 10**3, "m": 10**6, "b": 10**9, "g": 10**9}
_LOWER_IS_BETTER = re.compile(
    r"\b(error|loss|perplexity|fid|mae|mse|rmse|wer|cer|eer|latency|seconds)\b", re.IGNORECASE
)


@dataclass(frozen=True)
class Published:
    """`text` as given, its number, and what one more in its last digit is worth; accuracies are fractions."""

    text: str
    value: Decimal
    step: Decimal


def published(metric: str, text: str) -> Published:
    """The figure in `text`: `0.79312`, `79.3%`, or for an accuracy also `79.3`, which can only be percent.

    Raises ValueError when it is no such number, or an accuracy above 1.
    """
    plain = text.strip()
    number = plain.removesuffix("%").rstrip()
    if len(plain) > LONGEST_TEXT or not _NUMBER.fullmatch(number):
        raise ValueError(f"expected {metric} to be a number such as 0.793 or 79.3%, found {text[:60]!r}")
    value = Decimal(number)
    step = Decimal(1).scaleb(_exponent(value))
    is_accuracy = "accuracy" in metric.lower()
    if plain.endswith("%") or (is_accuracy and value > 1):
        value, step = value.scaleb(-2), step.scaleb(-2)
    if is_accuracy and not 0 <= value <= 1:
        raise ValueError(f"expected {metric} to be from 0 to 1, or to 100 %, found {text[:60]!r}")
    return Published(plain, value, step)


def count_of(name: str, text: str) -> int:
    """The whole number in `25557032`, `25.6M` or `1.2B`. Raises ValueError when it is none."""
    found = _COUNT.fullmatch(text.strip())
    if not found or len(text) > LONGEST_TEXT:
        raise ValueError(f"expected {name} to be a count such as 25557032 or 25.6M, found {text[:60]!r}")
    return int(Decimal(found[1]) * _FACTORS[found[2].lower()])


def lower_is_better(metric: str) -> bool:
    """Whether the metric's name says that less is better; published tables do not state it."""
    return bool(_LOWER_IS_BETTER.search(metric))


def _exponent(value: Decimal) -> int:
    exponent = value.as_tuple().exponent
    return exponent if isinstance(exponent, int) else 0
