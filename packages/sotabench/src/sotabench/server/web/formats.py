"""Numbers and strangers' words as people read them on a page."""

from urllib.parse import urlsplit

from benchrecord import printable

_ENOUGH = ((100, 0), (1_000, 1), (10_000, 2))
_UNITS = ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k"))
_MOST_DIGITS = 3
_SHORTEST = 1e-12


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


def points(difference: float) -> str:
    """A difference of two fractions, in percentage points, with its sign."""
    return f"{round(100 * difference, 2) + 0.0:+.2f}".replace("-", "\u2212")


def amount(value: float) -> str:
    """A large number in three digits: 4.65 M."""
    for unit, letter in _UNITS:
        if abs(value) >= unit:
            return f"{value / unit:.3g} {letter}"
    return f"{value:.3g}"


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
