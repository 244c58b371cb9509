"""A result's page: one model, and all that its record says."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.cache import patch_cache_control

from sotabench.server.benchmarks.queries import result_for, results_for
from sotabench.server.web.beside import rows_of
from sotabench.server.web.published import catalogue_rows, published_rows
from sotabench.server.web.said import sections_of
from sotabench.server.web.views.answers import page

_CATALOGUE_ROWS = 20


@page
def result(request: HttpRequest, key: int) -> HttpResponse:
    """The figures with their tiers, what is published beside them, and the record in sections."""
    found = result_for(request.user, key)
    row = rows_of([found])[0]
    metrics = [cell.metric for cell in row.cells]
    history = results_for(request.user).filter(
        repository=found.repository, benchmark=found.benchmark, model_name=found.model_name
    )
    facts = {
        "result": found,
        "row": row,
        "others": [figure for name, figure in row.declared.items() if figure.tier != "declared"],
        "declared": [figure for figure in row.declared.values() if figure.tier == "declared"],
        "candidates": published_rows(row.side.candidates, metrics),
        "catalogues": catalogue_rows(row.side.catalogues[:_CATALOGUE_ROWS], metrics),
        "history": history.exclude(pk=found.pk).order_by("-id")[:20],
        "sections": sections_of(found.record),
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
