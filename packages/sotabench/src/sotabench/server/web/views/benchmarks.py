"""A benchmark's page: its leaderboard, what is published about it, and both as a picture."""

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from sotabench.server.benchmarks.models import Benchmark
from sotabench.server.benchmarks.queries import benchmark_for, leaderboard, with_figures
from sotabench.server.benchmarks.ties import tied_letters
from sotabench.server.by_keys import in_order
from sotabench.server.papers.queries import reported_on
from sotabench.server.repositories.queries import Viewer
from sotabench.server.web.beside import rows_of
from sotabench.server.web.leaderboard import COLUMNS, Board, PaperBoard
from sotabench.server.web.pages import Chosen, page_of
from sotabench.server.web.plot import plot_of
from sotabench.server.web.published import published_rows
from sotabench.server.web.views.answers import page

_TABS = {"results": "Results", "papers": "Published figures", "plot": "Plot"}


@page
def benchmark(request: HttpRequest, slug: str) -> HttpResponse:
    """The tab that the address asks for; everything else it asks for is in that tab."""
    found, chosen = benchmark_for(request.user, slug), Chosen(request.GET)
    tab = chosen.one_of("tab", list(_TABS))
    facts = {"results": _results, "papers": _papers, "plot": _plot}[tab](found, request.user, chosen)
    return render(
        request, f"web/benchmark_{tab}.html", {"benchmark": found, "tab": tab, "tabs": _TABS, "chosen": chosen, **facts}
    )


def _results(found: Benchmark, viewer: Viewer, chosen: Chosen) -> dict[str, Any]:
    board = Board(chosen, list(found.metrics.all()))
    links = page_of(board.of(leaderboard(found, viewer)), chosen)
    results = in_order(with_figures().select_related("repository__owner"), list(links.page.object_list))
    for result in results:
        result.benchmark = found
    letters = tied_letters(results) if board.is_plain else {}
    rows = rows_of(results, letters)
    return {"board": board, "list": links, "rows": rows, "letters": letters, "all_columns": COLUMNS}


def _papers(found: Benchmark, viewer: Viewer, chosen: Chosen) -> dict[str, Any]:  # noqa: ARG001 - all read the same
    board = PaperBoard(chosen, list(found.metrics.all()))
    whole = found.variant_of or found
    links = page_of(board.of(reported_on(whole.slug)), chosen)
    return {"board": board, "list": links, "rows": published_rows(links.page.object_list, board.metrics)}


def _plot(found: Benchmark, viewer: Viewer, chosen: Chosen) -> dict[str, Any]:
    against = chosen.one_of("x", ["parameters", "year"])
    reported = reported_on(found.slug)
    return {"against": against, "plot": plot_of(found, leaderboard(found, viewer), reported, against=against)}
