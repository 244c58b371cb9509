"""The database is away for a while: a page and a line that say so, where each request would fill the log."""

import logging
import sys

from django.db import InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.template import loader
from django.views.defaults import server_error

_SAYS = "the database does not answer; try again in a moment"
_UNAVAILABLE = 503
_RETRY_AFTER = "5"
_LEAVING = frozenset({"57P01", "57P02", "57P03"})  # PostgreSQL shuts down, crashed, or starts


def is_away(error: BaseException | None) -> bool:
    """Whether it says that PostgreSQL cannot be reached; anything that it answers is something else."""
    if not isinstance(error, (OperationalError, InterfaceError)):
        return False
    cause = error.__cause__
    state = getattr(cause, "sqlstate", "")
    return type(cause).__module__.startswith("psycopg") and (state is None or state in _LEAVING or state[:2] == "08")


def failed(request: HttpRequest) -> HttpResponse:
    """What an error becomes that no view expected: 503 while the database is away, else 500."""
    if not is_away(sys.exc_info()[1]):
        return server_error(request)
    answer = (
        JsonResponse({"message": _SAYS}, status=_UNAVAILABLE)
        if request.path_info.startswith("/api/")
        else HttpResponse(loader.get_template("503.html").render(), status=_UNAVAILABLE)
    )
    answer["Retry-After"] = _RETRY_AFTER
    return answer


class InOneLine(logging.Filter):
    """A traceback for a database that is away says nothing more than that: one line instead."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Shorten it; it is logged in any case."""
        error = record.exc_info[1] if record.exc_info else None
        if is_away(error):
            why = " ".join(str(error).split())
            record.msg, record.args = f"{record.getMessage()}: the database does not answer: {why}", ()
            record.exc_info = record.exc_text = None
        return True
