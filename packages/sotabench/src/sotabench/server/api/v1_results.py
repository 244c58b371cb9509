"""`/api/v1/`: one result and all beside it; results against each other; what the plot draws."""

from typing import Any, Literal

from django.db.models import QuerySet
from django.http import HttpRequest
from ninja import Router
from ninja.pagination import paginate

from sotabench.server.api.gate import Key, Text
from sotabench.server.api.v1_beside import (
    ComparedOut,
    PlotOut,
    RankedResultOut,
    ResultPages,
    TieOut,
    WholeResultOut,
    with_sides,
)
from sotabench.server.benchmarks.models import Result
from sotabench.server.benchmarks.plotted import plotted
from sotabench.server.benchmarks.queries import benchmark_for, history_of, leaderboard, result_for
from sotabench.server.benchmarks.ties import CHANCE, compare_results, tied_letters
from sotabench.server.papers.queries import reported_on

LEADING = 50
"""How far down the leaderboard ties are looked for: as far as its first page."""

router = Router()


@router.get("benchmarks/{slug}/ties", response=list[TieOut])
def ties(request: HttpRequest, slug: Text) -> list[dict[str, Any]]:
    """The leading results whose predictions can be compared, best first, with the letters of their ties."""
    found = benchmark_for(request.user, slug)
    results = list(leaderboard(found, request.user)[:LEADING])
    for result in results:
        result.benchmark = found
    letters = tied_letters(results)
    return [
        {"result": result.pk, "model_name": result.model_name, "letters": letters[result.pk]}
        for result in results
        if result.pk in letters
    ]


@router.get("benchmarks/{slug}/plot", response=PlotOut)
def plot(request: HttpRequest, slug: Text, against: Literal["parameters", "year"] = "parameters") -> dict[str, Any]:
    """The first metric of the best results and published figures, against parameters or the paper's year."""
    found = benchmark_for(request.user, slug)
    metric = next(iter(found.metrics.all()), None)
    points = plotted(found, leaderboard(found, request.user), reported_on(found.slug), against=against)
    return {"metric": metric.name if metric else None, "against": against, "points": points}


@router.get("results/{key}", response=WholeResultOut)
def result(request: HttpRequest, key: Key) -> Result:
    """One result: its rank, all that is published beside it, and its record."""
    return with_sides([result_for(request.user, key)])[0]


@router.get("results/{key}/history", response=list[RankedResultOut])
@paginate(ResultPages)
def history(request: HttpRequest, key: Key) -> QuerySet[Result]:
    """The other results of this model in this repository, newest first."""
    return history_of(result_for(request.user, key), request.user)


@router.get("results/{key}/compare", response=ComparedOut)
def compare(request: HttpRequest, key: Key, other: Key) -> dict[str, Any]:
    """This result and another image by image: who was right where, and whether it could be chance."""
    first, second = result_for(request.user, key), result_for(request.user, other)
    found = compare_results(first, second)
    if found is None:
        return {"first": first.pk, "second": second.pk, "images": None}
    low, high = found.interval()
    counts = {name: getattr(found, name) for name in ("both", "only_first", "only_second", "neither")}
    images = counts | {"difference": found.difference, "low": low, "high": high, "p_value": found.p_value}
    return {"first": first.pk, "second": second.pk, "images": images | {"is_tie": found.p_value >= CHANCE}}
