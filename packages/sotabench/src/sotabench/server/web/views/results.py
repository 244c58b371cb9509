"""A result's page: one model, and all that its record says."""

from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.cache import patch_cache_control

from sotabench.server.benchmarks.models import Result
from sotabench.server.benchmarks.queries import history_of, leaderboard, result_for
from sotabench.server.benchmarks.ties import CHANCE, compare_results
from sotabench.server.builds.queries import conditions_of
from sotabench.server.errors import NotFound
from sotabench.server.repositories.queries import Viewer
from sotabench.server.web.beside import rows_of
from sotabench.server.web.formats import plain
from sotabench.server.web.published import catalogue_rows, published_rows
from sotabench.server.web.said import sections_of
from sotabench.server.web.views.answers import page

_CATALOGUE_ROWS = 20
_MOST_RIVALS = 50
_MOST_DIGITS = 18


@page
def result(request: HttpRequest, key: int) -> HttpResponse:
    """The figures with their tiers, what is published beside them, and the record in sections."""
    found = result_for(request.user, key)
    row = rows_of([found])[0]
    metrics = [cell.metric for cell in row.cells]
    facts = {
        "result": found,
        "run": conditions_of((found.carried_from or found).build),
        "row": row,
        "others": [figure for name, figure in row.declared.items() if figure.tier != "declared"],
        "declared": [figure for figure in row.declared.values() if figure.tier == "declared"],
        "candidates": published_rows(row.side.candidates, metrics),
        "catalogues": catalogue_rows(row.side.catalogues[:_CATALOGUE_ROWS], metrics),
        "history": history_of(found, request.user).defer("record")[:20],
        "sections": sections_of(found.record),
        "rivals": _rivals(found, request.user) if found.predictions and found.benchmark.labels else [],
    }
    return render(request, "web/result.html", facts)


@page
def record(request: HttpRequest, key: int) -> HttpResponse:
    """The record's JSON as it came, as a file to keep."""
    found = result_for(request.user, key)
    answer = HttpResponse(found.record, content_type="application/json")
    answer["Content-Disposition"] = f'attachment; filename="record-{found.pk}.json"'
    patch_cache_control(answer, private=True)
    return answer


@page
def compare(request: HttpRequest, key: int) -> HttpResponse:
    """Two results image by image: who was right where, and whether the difference could be chance."""
    first = result_for(request.user, key)
    other = request.GET.get("with", "")
    if not (other.isascii() and other.isdigit() and len(other) <= _MOST_DIGITS):
        raise NotFound(f"expected the number of another result, found {plain(other, 40)!r}")
    second = result_for(request.user, int(other))
    compared = compare_results(first, second)
    facts: dict[str, object] = {"first": first, "second": second, "compared": compared}
    if compared is not None:
        facts |= {"low_high": compared.interval(), "is_tie": compared.p_value >= CHANCE}
    return render(request, "web/compare.html", facts)


def _rivals(found: Result, viewer: Viewer) -> QuerySet[Result]:
    """Other current results on the benchmark whose predictions are here, best first."""
    there = leaderboard(found.benchmark, viewer).exclude(predictions="").exclude(pk=found.pk)
    return there.prefetch_related(None).defer("record")[:_MOST_RIVALS]
