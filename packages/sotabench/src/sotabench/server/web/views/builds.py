"""A build's page: where it stands, its log as it comes, its results; and what its owner may do to it."""

from collections.abc import Callable

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST

from sotabench.server.accounts.models import User
from sotabench.server.benchmarks.queries import results_for
from sotabench.server.builds.models import Build
from sotabench.server.builds.queries import UNDER_WAY, LogPart, attempts_of, build_of, log_of
from sotabench.server.builds.services import build_again, cancel_build
from sotabench.server.repositories.identity import identity_of
from sotabench.server.repositories.queries import repository_for
from sotabench.server.repositories.services import may_change
from sotabench.server.web.addresses import build_url
from sotabench.server.web.beside import rows_of
from sotabench.server.web.pages import Chosen, page_of
from sotabench.server.web.views.answers import page, refusals_shown, signed_in

_MOST_KEY = 2**63 - 1


@never_cache
@page
def build(request: HttpRequest, identity: str, number: int) -> HttpResponse:
    """Where the build stands, its log, and the results that it brought."""
    found = _build(request, identity, number)
    results = results_for(request.user).filter(build=found).select_related("repository__owner", "carried_from__build")
    results = results.prefetch_related("figures", "benchmark__metrics").order_by("benchmark", "-rank_value", "id")
    links = page_of(results, Chosen(request.GET))
    facts = {
        "build": found,
        "is_under_way": found.status in UNDER_WAY,
        "attempts": list(attempts_of(found)),
        "log": log_of(found),
        "may_change": may_change(request.user, found.repository),
        "list": links,
        "rows": rows_of(list(links.page.object_list)),
    }
    return render(request, "web/build.html", facts)


@never_cache
@page
def log(request: HttpRequest, identity: str, number: int) -> HttpResponse:
    """The log behind `?after=`, as JSON for the page that follows it."""
    text = request.GET.get("after", "0")
    after = min(int(text), _MOST_KEY) if text.isascii() and text.isdigit() and len(text) < 20 else 0
    return JsonResponse(log_json(log_of(_build(request, identity, number), after=after)))


@never_cache
@page
def log_text(request: HttpRequest, identity: str, number: int) -> HttpResponse:
    """The whole log so far, as text."""
    found = log_of(_build(request, identity, number), most=1_000_000)
    return HttpResponse(found.text, content_type="text/plain; charset=utf-8")


@login_required
@require_POST
@refusals_shown
def cancel(request: HttpRequest, identity: str, number: int) -> HttpResponse:
    """Give the build up."""
    return _change(request, identity, number, cancel_build)


@login_required
@require_POST
@refusals_shown
def again(request: HttpRequest, identity: str, number: int) -> HttpResponse:
    """Build the same commit again; with `full`, nothing is carried over."""
    full = request.POST.get("full") == "yes"
    return _change(request, identity, number, lambda user, found: build_again(user, found, is_full=full))


def log_json(part: LogPart) -> dict[str, object]:
    """A part of a log for programs."""
    return {"text": part.text, "next": part.next, "is_over": part.is_over, "status": part.status, "stage": part.stage}


def _change(
    request: HttpRequest, identity: str, number: int, change: Callable[[User, Build], Build | None]
) -> HttpResponse:
    found = _build(request, identity, number)
    made = change(signed_in(request), found) or found
    made.repository = found.repository
    return redirect(build_url(made))


def _build(request: HttpRequest, identity: str, number: int) -> Build:
    repository = repository_for(request.user, identity_of(identity))
    found = build_of(repository, number)
    found.repository = repository
    return found
