"""The front page, the list of benchmarks, what browsers and robots ask for."""

from django.db.models import F, Q
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.templatetags.static import static

from sotabench.server.benchmarks.queries import CURRENT, counted_benchmarks, results_for
from sotabench.server.web.beside import rows_of
from sotabench.server.web.pages import Chosen, page_of
from sotabench.server.web.views.answers import page

_ON_FRONT = 9
_NEWEST = 10


@page
def front(request: HttpRequest) -> HttpResponse:
    """What this is, the benchmarks with most results, the newest results."""
    most_results = (F("result_count").desc(), F("reported_count").desc())
    benchmarks = counted_benchmarks(request.user).order_by(*most_results, "task", "dataset")
    newest = results_for(request.user).filter(CURRENT).select_related("repository__owner")
    newest = newest.prefetch_related("figures", "benchmark__metrics").order_by("-id")
    facts = {"benchmarks": benchmarks[:_ON_FRONT], "rows": rows_of(list(newest[:_NEWEST]))}
    return render(request, "web/front.html", facts)


@page
def benchmarks(request: HttpRequest) -> HttpResponse:
    """All listed benchmarks, searched by name."""
    chosen = Chosen(request.GET)
    text = chosen.text("q")
    found = counted_benchmarks(request.user).order_by("task", "dataset", "id")
    if text:
        found = found.filter(Q(task__icontains=text) | Q(dataset__icontains=text))
    return render(request, "web/benchmarks.html", {"text": text, "list": page_of(found, chosen)})


@page
def favicon(request: HttpRequest) -> HttpResponse:  # noqa: ARG001 - a view
    """Where the picture is that browsers ask for by this name, on pages that do not say it."""
    return redirect(static("web/favicon.svg"))


@page
def robots(request: HttpRequest) -> HttpResponse:
    """What programs that read everything should leave alone."""
    return render(request, "web/robots.txt", content_type="text/plain")
