"""Who is asking, by a session or when it is a program; who is let in; the way out to a sign-in provider.

All but the first look at `path_info`, which the addresses are matched with: `path` begins with what a header may name.
"""

import logging
from collections.abc import Callable
from http import HTTPStatus
from typing import cast
from urllib.parse import urlsplit

from django.conf import settings
from django.contrib.auth.models import AnonymousUser
from django.contrib.auth.views import redirect_to_login
from django.db import IntegrityError
from django.http import HttpRequest, HttpResponse, HttpResponseBase, HttpResponseRedirect, JsonResponse
from django.shortcuts import render
from django.utils.cache import add_never_cache_headers
from requests import RequestException

from sotabench.server.accounts.models import ApiToken, User
from sotabench.server.accounts.queries import token_in, token_of
from sotabench.server.accounts.services import note_use

_LOG = logging.getLogger("sotabench.accounts")
Handler = Callable[[HttpRequest], HttpResponseBase]

_API = "/api/"
_V1 = "/api/v1/"
_UNKNOWN = "expected a token of this site, found one that it does not know: revoked, or another site's; `sb login`"
_ACCOUNTS = "/accounts/"
_DESCRIPTION = frozenset({"/api/v1/docs", "/api/v1/openapi.json"})
_READING = frozenset({"GET", "HEAD"})
_OPEN_TO_ALL = (
    _ACCOUNTS,
    "/healthz",
    "/metrics",
    "/static/",
    "/api/v0/auth/",
    "/api/v0/part/",
    "/api/runner/",
    "/webhooks/",
)


class SiteRequest(HttpRequest):
    """A request after the middleware below: its user is ours, and the token is there when one was sent."""

    user: User | AnonymousUser
    api_token: ApiToken | None


class SessionCookie:
    """A session cookie that this site cannot have set is as none: in quotes it may hold NUL, which no database has."""

    def __init__(self, get_response: Handler) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        """Go on, perhaps without the cookie."""
        if not request.COOKIES.get(settings.SESSION_COOKIE_NAME, "").isprintable():
            del request.COOKIES[settings.SESSION_COOKIE_NAME]
        return self._get_response(request)


class TokenAuthentication:
    """Below `/api/`, a token in the `Authorization` header decides alone who asks: cookies count for nothing there.

    Whoever sends one to `/api/v1/` that is none hears so, instead of being shown what nobody in particular may see.
    So a page of another site cannot write through the API in a visitor's name, and the API needs no CSRF token. The
    API's description is a page that people open: who reads it without a token is who is signed in.
    """

    def __init__(self, get_response: Handler) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        """Set the request's user and `api_token`, then go on."""
        found = cast("SiteRequest", request)
        found.api_token = None
        if request.path_info.startswith(_API):
            sent = request.headers.get("Authorization", "")
            found.api_token = token_of(sent)
            if token_in(sent) and not found.api_token and request.path_info.startswith(_V1):
                return JsonResponse({"message": _UNKNOWN}, status=HTTPStatus.UNAUTHORIZED)
            if found.api_token:
                found.user = found.api_token.user
                note_use(found.api_token)
            elif not _reads_description(request):
                found.user = AnonymousUser()
        return self._get_response(request)


class MembersOnly:
    """With the setting `MEMBERS_ONLY`, whoever is not signed in meets the sign-in page, programs a 401."""

    def __init__(self, get_response: Handler) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        """Go on, or turn away."""
        if (
            settings.MEMBERS_ONLY
            and not request.user.is_authenticated
            and not request.path_info.startswith(_OPEN_TO_ALL)
        ):
            return _refusal(request)
        return self._get_response(request)


class LeaveByPage:
    """A form about accounts that leads to another origin, as a provider's is, is answered with a page that goes there.

    Browsers hold every redirect of a form against the policy's `form-action`, also those that the other origin goes on
    with, which nobody here can list; a page is left without that. So forms go to this site alone, as the policy says.
    """

    def __init__(self, get_response: Handler) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        """Go on, and put the page where such a redirect would be."""
        answer = self._get_response(request)
        if (
            request.method != "POST"
            or not request.path_info.startswith(_ACCOUNTS)
            or not isinstance(answer, HttpResponseRedirect)
            or urlsplit(answer.url).netloc in {"", request.get_host()}
        ):
            return answer
        page = render(request, "web/leaving.html", {"address": answer.url, "host": urlsplit(answer.url).netloc})
        add_never_cache_headers(page)
        return page

    def process_exception(self, request: HttpRequest, error: Exception) -> HttpResponse | None:
        """Say that a name was taken a moment ago, or that a provider does not answer; its own words are for the log."""
        if not request.path_info.startswith(_ACCOUNTS):
            return None
        if isinstance(error, IntegrityError):
            _LOG.warning("a form about accounts wrote what was there already", exc_info=error)
            words = "expected a name that nobody has, found that it was taken a moment ago; sign in, or choose another"
            return render(request, "web/refused.html", {"message": words}, status=HTTPStatus.CONFLICT)
        if not isinstance(error, RequestException):
            return None
        _LOG.warning("a sign-in provider does not answer as it should", exc_info=error)
        words = "expected the sign-in provider to answer, found that it does not; try again in a moment"
        return render(request, "web/refused.html", {"message": words}, status=HTTPStatus.BAD_GATEWAY)


def _reads_description(request: HttpRequest) -> bool:
    return request.path_info in _DESCRIPTION and request.method in _READING


def _refusal(request: HttpRequest) -> HttpResponse:
    if request.path_info.startswith(_API):
        return JsonResponse({"message": "this site is for members only: send a token"}, status=401)
    return redirect_to_login(request.get_full_path())
