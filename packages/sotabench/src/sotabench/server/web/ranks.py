"""Places on one leaderboard, for a page of it: quick however long the leaderboard is."""

from collections.abc import Sequence
from itertools import accumulate

from django.contrib.auth.models import AnonymousUser
from django.db.models import Count, Value

from sotabench.server.benchmarks.models import Benchmark, Result
from sotabench.server.benchmarks.queries import leaderboard


def ranks_on(benchmark: Benchmark, results: Sequence[Result]) -> dict[int, int]:
    """The place of each of these scored results among the benchmark's current public ones, by its key; one query.

    Equal figures share a place. Counted from each figure to the next better one, so that all counts together walk along
    the leaderboard's index once.
    """
    values = sorted({result.rank_value for result in results if result.rank_value is not None}, reverse=True)
    if not values:
        return {}
    public = leaderboard(benchmark, AnonymousUser()).order_by().select_related(None).prefetch_related(None)
    parts = []
    for place, value in enumerate(values):
        between = public.filter(rank_value__gt=value)
        if place:
            between = between.filter(rank_value__lte=values[place - 1])
        parts.append(between.values(place=Value(place)).annotate(count=Count("pk")).values_list("place", "count"))
    counted: dict[int, int] = dict(parts[0].union(*parts[1:], all=True))
    better = accumulate(counted.get(place, 0) for place in range(len(values)))
    rank_of = {value: count + 1 for value, count in zip(values, better, strict=True)}
    return {result.pk: rank_of[result.rank_value] for result in results if result.rank_value is not None}
