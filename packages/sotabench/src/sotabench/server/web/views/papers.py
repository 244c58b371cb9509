"""A paper's page: what it reports, and the code beside it."""

from itertools import groupby

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from sotabench.server.benchmarks.models import Benchmark
from sotabench.server.benchmarks.queries import results_of_paper, with_figures
from sotabench.server.by_keys import in_order, keys_of
from sotabench.server.papers.models import Paper, ReportedResult
from sotabench.server.papers.queries import paper_by_slug, reported_by
from sotabench.server.web.beside import rows_of
from sotabench.server.web.pages import Chosen, page_of
from sotabench.server.web.published import PublishedRow, published_rows
from sotabench.server.web.views.answers import page


@page
def paper(request: HttpRequest, slug: str) -> HttpResponse:
    """What the paper reports on each benchmark, and the results of repositories that name it."""
    found, chosen = paper_by_slug(slug), Chosen(request.GET)
    named_it = results_of_paper(found, request.user).order_by("benchmark", "-rank_value", "id")
    links = page_of(keys_of(named_it), chosen)
    shown = with_figures().select_related("repository__owner", "benchmark__variant_of")
    rows = rows_of(in_order(shown.prefetch_related("benchmark__metrics"), list(links.page.object_list)))
    facts = {"list": links, "rows": rows, "tables": _tables(found)}
    return render(request, "web/paper.html", {"paper": found, **facts})


def _tables(found: Paper) -> list[tuple[Benchmark, list[PublishedRow]]]:
    """The paper's rows on each benchmark that the site has."""
    rows: list[ReportedResult] = list(reported_by(found))
    slugs = {row.benchmark for row in rows}
    known = {b.slug: b for b in Benchmark.objects.filter(slug__in=slugs).prefetch_related("metrics")}
    return [
        (known[slug], published_rows(group, list(known[slug].metrics.all())))
        for slug, group in groupby(rows, key=lambda row: row.benchmark)
        if slug in known
    ]
