"""How long to wait after a failure: twice as long each time, up to some hours."""

from datetime import timedelta

MOST_TRIES = 10
PATIENCE = 60.0
"""Seconds after which one host's other messages are left for the next round."""

_FIRST = timedelta(minutes=1)
_MOST_DOUBLINGS = 8


def pause(failures: int) -> timedelta:
    """From one minute to about four hours."""
    return _FIRST * int(2 ** min(max(failures - 1, 0), _MOST_DOUBLINGS))


def build_address(site: str, host: str, name: str, number: int) -> str:
    """The build's page, for whoever is elsewhere; nothing where the site does not know its own address."""
    return f"{site}/builds/{host}/{name}/{number}" if site else ""
