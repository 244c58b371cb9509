"""Who may wait for a git host in a request: a host that is silent holds one of the threads that answer everybody.

Counted in the process: a site with several of them allows that many times more. What the site asks by itself does not
count; it has threads of its own.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from sotabench.server.accounts.models import User
from sotabench.server.errors import Conflict

MOST_AT_ONCE = 4
"""Half of the threads that `sotabench serve` has unless it is told otherwise."""

_lock = threading.Lock()
_waiting: set[int] = set()


@contextmanager
def turn(user: User) -> Iterator[None]:
    """Ask a git host in the user's name. Raises Conflict while he waits for another one, or too many others wait."""
    with _lock:
        if user.pk in _waiting:
            raise Conflict(
                "expected one question to a git host at a time, found one of yours that waits; try again soon"
            )
        if len(_waiting) >= MOST_AT_ONCE:
            raise Conflict(
                f"expected at most {MOST_AT_ONCE} questions to git hosts at a time, found more; try again soon"
            )
        _waiting.add(user.pk)
    try:
        yield
    finally:
        with _lock:
            _waiting.discard(user.pk)
