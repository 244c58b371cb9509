"""Places on leaderboards: quick however long a leaderboard is."""

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence

from django.contrib.auth.models import AnonymousUser
from django.db import connection

from sotabench.server.benchmarks.models import Result
from sotabench.server.repositories.queries import hidden_from

# Written by hand, because Django knows no table of values. Counted one by one along the index `places`, which holds
# every column: joined, PostgreSQL would hold each result against each step.
_BETWEEN = """
    WITH step (part, benchmark, above, up_to) AS (VALUES {steps})
    SELECT part, (
        SELECT COUNT(*) FROM {table} WHERE benchmark_id = benchmark AND superseded_by_id IS NULL
        AND rank_value IS NOT NULL AND rank_value > above AND rank_value <= up_to AND repository_id NOT IN ({hidden})
    ) FROM step
"""
_STEP = "(%s, %s, CAST(%s AS DOUBLE PRECISION), CAST(%s AS DOUBLE PRECISION))"


def public_rank(result: Result, ranks: Mapping[int, int]) -> int | None:
    """The result's own place, if it is one of the current public ones and so has one."""
    is_one_of_them = result.repository.is_public and result.superseded_by_id is None
    return ranks.get(result.pk) if is_one_of_them else None


def global_ranks(results: Sequence[Result]) -> dict[int, int]:
    """The place of each scored result among all current public ones on its benchmark, by its key; one query.

    Equal figures share a place. Counted from each figure to the next better one, so that all counts of a benchmark
    together walk along its leaderboard's index once.
    """
    scored = [(result.pk, result.benchmark_id, result.rank_value) for result in results]
    values: dict[int, list[float]] = defaultdict(list)
    for benchmark, value in {(benchmark, value) for _, benchmark, value in scored if value is not None}:
        values[benchmark].append(value)
    steps = []
    for benchmark, found in values.items():
        found.sort(reverse=True)
        steps += [(benchmark, value, above) for value, above in zip(found, (math.inf, *found), strict=False)]
    places: dict[tuple[int, float | None], int] = {}
    place = 1
    for (benchmark, value, above), count in zip(steps, _counted(steps), strict=True):
        place = count + (1 if above == math.inf else place)
        places[benchmark, value] = place
    return {key: places[benchmark, value] for key, benchmark, value in scored if value is not None}


def _counted(steps: Sequence[tuple[int, float, float]]) -> list[int]:
    """How many public results of a benchmark are above a value and not above another, for each of these."""
    if not steps:
        return []
    hidden, of_hidden = hidden_from(AnonymousUser()).order_by().values("pk").query.sql_with_params()
    table = Result._meta.db_table  # noqa: SLF001 - how Django wants it
    query = _BETWEEN.format(steps=", ".join([_STEP] * len(steps)), table=table, hidden=hidden)
    parameters = [parameter for part, step in enumerate(steps) for parameter in (part, *step)]
    with connection.cursor() as cursor:
        cursor.execute(query, [*parameters, *of_hidden])
        found = dict(cursor.fetchall())
    return [found[part] for part in range(len(steps))]
