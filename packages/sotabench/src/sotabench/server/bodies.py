"""How much a request may bring, and in which letters.

What a form or a file brings is spooled to disk, so too much is refused unread.
"""

import codecs
import json
import re
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from django.http import HttpRequest, HttpResponseBase, JsonResponse
from django.utils.http import parse_header_parameters

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

MOST_OF_A_FORM = 5 << 20
MOST_OF_A_CALL = 520 << 20
"""A submission, or a part of a data set, is 512 MiB at the most; the rest is for what stands around the files."""
_CHARSETS = frozenset({"utf-8", "ascii"})
_CHARSET = re.compile(r""";\s*charset\s*=\s*(?:"[^"]*"|[^;"\s]*)""", re.IGNORECASE)


class BodyLimit:
    """Turns too much away by its announced length, which is all of it that the server would ever read."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        """Go on, or refuse."""
        most = MOST_OF_A_CALL if request.path_info.startswith("/api/") else MOST_OF_A_FORM
        announced = str(request.META.get("CONTENT_LENGTH") or "0")
        if not announced.isdigit() or int(announced) <= most:
            return self._get_response(request)
        return JsonResponse({"message": f"expected at most {most} bytes, found {announced[:30]}"}, status=413)


class OneCharset:
    """The site, for whoever writes in the charset of every page here; others are turned away before Django looks.

    Django would read the address and the form in whatever charset is said, before any middleware runs. Python has some
    that decode nothing, and some that make half a character or NUL of what is written, which no database stores.
    """

    def __init__(self, application: "WSGIApplication") -> None:
        self._application = application

    def __call__(self, environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        """Go on, the charset no longer said, or refuse."""
        said = environ.get("CONTENT_TYPE", "")
        if _is_understood(said):
            environ["CONTENT_TYPE"] = _CHARSET.sub("", said)
            return self._application(environ, start_response)
        body = json.dumps({"message": "expected UTF-8, found that another charset is said"}).encode()
        start_response("415 Unsupported Media Type", [("Content-Type", "application/json"), ("Connection", "close")])
        return [body]


def _is_understood(content_type: str) -> bool:
    try:
        _, parameters = parse_header_parameters(content_type)
        return codecs.lookup(parameters.get("charset", "utf-8")).name in _CHARSETS
    except (LookupError, ValueError):
        return False
