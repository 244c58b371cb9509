"""Who may call what, how often, and what a refusal looks like: the same for every version of the API.

A refusal is `{"errors": [...]}` with status 400, else `{"message": "..."}`.
"""

import json
import re
import time
from ipaddress import IPv6Network
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast

from django.conf import settings
from django.core.cache import cache
from django.core.exceptions import SuspiciousOperation
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.http.multipartparser import MultiPartParserError
from ninja import NinjaAPI
from ninja.errors import AuthenticationError, HttpError, Throttled, ValidationError
from ninja.files import UploadedFile
from ninja.security.base import AuthBase
from ninja.throttling import BaseThrottle
from pydantic import AfterValidator, Field

from benchrecord import printable
from sotabench.addresses import unmapped
from sotabench.server.accounts.models import User
from sotabench.server.errors import Forbidden, Refused

if TYPE_CHECKING:
    from sotabench.server.accounts.middleware import SiteRequest

_WINDOW = 60
_NUL = re.compile(r"(?<!\\)(?:\\\\)*\\u0000")


def _without_nul(text: str) -> str:
    if "\0" in text:
        raise ValueError("expected text without NUL, which no database stores")
    return text


def _storable(found: dict[str, Any]) -> dict[str, Any]:
    """Raise ValueError for what is JSON to Python alone: NaN, half of a character, NUL."""
    text = json.dumps(found, ensure_ascii=False, allow_nan=False)
    text.encode()
    if _NUL.search(text):
        raise ValueError("expected text without NUL, which no database stores")
    return found


Text = Annotated[str, Field(max_length=1000), AfterValidator(_without_nul)]
StorableJson = Annotated[dict[str, Any], AfterValidator(_storable)]
Key = Annotated[int, Field(ge=0, le=2**31 - 1)]
LongKey = Annotated[int, Field(ge=0, le=2**63 - 1)]


class TokenFor(AuthBase):
    """The door of a write: a token is needed, and it has to be one for `scope`."""

    openapi_type: str = "http"
    openapi_scheme: str = "bearer"

    def __init__(self, scope: str) -> None:
        super().__init__()
        self._scope = scope

    def __call__(self, request: HttpRequest) -> User:
        """The user whose token this is. Raises AuthenticationError without a token, Forbidden for another scope."""
        token = cast("SiteRequest", request).api_token
        if token is None:
            raise AuthenticationError(message="expected a token in the Authorization header; `sb login` gets one")
        if not token.allows(self._scope):
            raise Forbidden(f"expected a token with the scope {self._scope!r}, found one without; make another")
        return token.user


class Requests(BaseThrottle):
    """At most so many requests a minute for each user by tokens, and for each address without one.

    Counted in the cache; a site with several processes and a cache in each allows that many times more.
    """

    def allow_request(self, request: HttpRequest) -> bool:
        """Count the request; what is left is kept on it for the answer's headers."""
        token = cast("SiteRequest", request).api_token
        limit = settings.API_REQUESTS_A_MINUTE["token" if token else "address"]
        now = int(time.time())
        who = f"user:{token.user_id}" if token else f"address:{address_of(request)}"
        key = f"api-requests:{who}:{now // _WINDOW}"
        cache.add(key, 0, timeout=2 * _WINDOW)
        count = cache.incr(key)
        request.META["sotabench.rate"] = (limit, max(0, limit - count), _WINDOW - now % _WINDOW)
        return bool(count <= limit)


def address_of(request: HttpRequest) -> str:
    """Where the request came from; behind a proxy it is what that proxy, and nobody before it, says.

    Of an IPv6 address the network alone: whoever has one address has all that begin so.
    """
    forwarded = request.headers.get("X-Forwarded-For", "")
    found = str(request.META.get("REMOTE_ADDR", ""))
    if settings.BEHIND_PROXY and forwarded:
        found = str(forwarded).rsplit(",", 1)[-1].strip()
    found = unmapped(found)
    try:
        return str(IPv6Network(f"{found}/64", strict=False).network_address)
    except ValueError:
        return found


def kept_upload(upload: UploadedFile, path: Path) -> Path:
    """The path, at which the uploaded file now lies."""
    with path.open("wb") as target:
        for chunk in upload.chunks():
            target.write(chunk)
    return path


def refusal(status: int, *messages: str) -> JsonResponse:
    """The answer to what cannot be done."""
    shown = [printable(message, 1000) for message in messages]
    return JsonResponse({"errors": shown} if status == 400 else {"message": shown[0]}, status=status)


def api_of(title: str, version: str, description: str, **options: Any) -> NinjaAPI:
    """An API with the site's throttle and its way to refuse."""
    api = NinjaAPI(
        title=title,
        version=version,
        description=description,
        urls_namespace=f"api-v{version}",
        **{"throttle": [Requests()], **options},
    )
    for error, handler in _HANDLERS.items():
        api.add_exception_handler(error, handler)
    return api


def _refused(_request: HttpRequest, error: Refused) -> HttpResponse:
    return refusal(error.status, str(error))


def _http_error(_request: HttpRequest, error: HttpError) -> HttpResponse:
    return refusal(error.status_code, error.message)


def _not_valid(_request: HttpRequest, error: ValidationError) -> HttpResponse:
    places = ((".".join(str(part) for part in found["loc"]), found["msg"]) for found in error.errors[:20])
    return refusal(400, *(f"{place}: {message}" for place, message in places))


def _unread(_request: HttpRequest, error: Exception) -> HttpResponse:
    """More JSON, fields or files than are read, or a form that is none."""
    return refusal(400, str(error))


def _too_many(request: HttpRequest, _error: Throttled) -> HttpResponse:
    limit, remaining, reset = request.META["sotabench.rate"]
    answer = refusal(429, f"expected at most {limit} requests a minute, found more; wait {reset} seconds")
    for name, value in {"Limit": limit, "Remaining": remaining, "Reset": reset, "Retry": reset}.items():
        answer[f"X-Ratelimit-{name}"] = str(value)
    answer["Retry-After"] = str(reset)
    return answer


_HANDLERS: dict[type[Exception], Any] = {
    Refused: _refused,
    ValidationError: _not_valid,
    Throttled: _too_many,
    HttpError: _http_error,
    SuspiciousOperation: _unread,
    MultiPartParserError: _unread,
}
