"""Numbers and strangers' words as people read them on a page."""

import math
from decimal import Decimal
from urllib.parse import urlsplit

from benchrecord import printable

_ENOUGH = ((100, 0), (1_000, 1), (10_000, 2))
_UNITS = ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k"))
_MOST_DIGITS = 3
_SHORTEST = 1e-12
_FIGURE_DIGITS = 6
_SMALLEST, _LARGEST = 1e-9, 1e15
_MOST_DECIMALS = 16
_MINUS = "\u2212"


def percent(fraction: float, samples: int | None = None) -> str:
    """The fraction in percent, with as many digits as that many images can tell apart."""
    digits = next((digits for most, digits in _ENOUGH if samples and samples <= most), _MOST_DIGITS)
    return f"{100 * fraction:.{digits}f} %"


def published_percent(fraction: float, step: float) -> str:
    """The fraction in percent, with the digits that were published: `step` is what the last of them is worth."""
    digits, worth = 0, 100 * step
    while worth < 1 - _SHORTEST and digits < 6:
        digits, worth = digits + 1, worth * 10
    return f"{100 * fraction:.{digits}f} %"


def published_text(value: float, text: str, *, step: float, is_fraction: bool) -> str:
    """A published figure with the digits that were published: a fraction in percent, else as it was written."""
    return published_percent(value, step) if is_fraction else text


def points(difference: float) -> str:
    """A difference of two fractions, in percentage points, with its sign."""
    return f"{round(100 * difference, 2) + 0.0:+.2f}".replace("-", _MINUS)


def difference(value: float, *, step: float, is_fraction: bool) -> str:
    """A figure less a published one, with its sign: of fractions in points, else in the unit of both.

    It has the digits that were published, whose last is worth `step`, and up to two more where it has them.
    """
    if is_fraction:
        return f"{points(value)} points"
    digits = min(max(0, -Decimal(repr(step)).adjusted()), _MOST_DECIMALS)
    whole, _, rest = f"{value:+.{digits + 2}f}".partition(".")
    if len(whole) > _MOST_DECIMALS:
        return f"{value:+.3g}".replace("-", _MINUS)
    kept = rest[:digits] + rest[digits:].rstrip("0")
    text = f"{whole}.{kept}" if kept else whole
    return (text if float(text) else text.replace("-", "+")).replace("-", _MINUS)


def number(value: float) -> str:
    """A figure that is no fraction, in six digits: 32.47."""
    if not value or not _SMALLEST <= abs(value) <= _LARGEST:
        return f"{value:.6g}"
    digits = max(0, _FIGURE_DIGITS - 1 - math.floor(math.log10(abs(value))))
    text = f"{value:.{digits}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def amount(value: float) -> str:
    """A large number in three digits: 4.65 M."""
    rounded = float(f"{value:.3g}")
    for unit, letter in _UNITS:
        if unit <= abs(rounded) < 1000 * _UNITS[0][0]:
            return f"{rounded / unit:.3g} {letter}"
    return f"{rounded:.3g}"


def plain(text: object, limit: int = 300) -> str:
    """A stranger's text on one line, without anything invisible; the template still has to escape it."""
    return printable(str(text), limit)


def safe_url(text: object) -> str:
    """The address when it is an http or https one, else nothing: what is not one is never made a link."""
    address = str(text)
    if not address.isprintable() or any(letter in address for letter in ' "<>\\'):
        return ""
    try:
        parts = urlsplit(address)
    except ValueError:
        return ""
    return address if parts.scheme in {"http", "https"} and parts.hostname else ""
