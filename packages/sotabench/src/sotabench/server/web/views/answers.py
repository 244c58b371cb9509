"""What all views share: refusals become pages, here alone."""

from collections.abc import Callable
from functools import wraps
from typing import Concatenate, ParamSpec, cast

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from sotabench.server.accounts.models import User
from sotabench.server.errors import NotFound, Refused
from sotabench.server.web.formats import plain

_P = ParamSpec("_P")
View = Callable[Concatenate[HttpRequest, _P], HttpResponse]


def refusals_shown(view: View[_P]) -> View[_P]:
    """The view, whose refusals become a page that says why: 404 for what is not there, or not for this visitor."""

    @wraps(view)
    def answer(request: HttpRequest, *args: _P.args, **kwargs: _P.kwargs) -> HttpResponse:
        try:
            return view(request, *args, **kwargs)
        except NotFound as refusal:
            raise Http404(plain(refusal)) from refusal
        except Refused as refusal:
            return render(request, "web/refused.html", {"message": plain(refusal, 1000)}, status=refusal.status)

    return cast("View[_P]", answer)


def page(view: View[_P]) -> View[_P]:
    """A view that only reads."""
    return require_safe(refusals_shown(view))


def signed_in(request: HttpRequest) -> User:
    """The user behind a view that asked for a sign-in."""
    return cast("User", request.user)
