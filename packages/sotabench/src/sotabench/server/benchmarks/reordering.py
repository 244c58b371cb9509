"""When a benchmark's metrics change: its leaderboard is ordered by what its metrics are now."""

from itertools import islice

from django.db import transaction

from sotabench.server.benchmarks.figures import rank_value
from sotabench.server.benchmarks.models import Benchmark, Result
from sotabench.server.benchmarks.sort_keys import SortKeys, sort_keys

_AT_A_TIME = 1000


@transaction.atomic
def order_anew(key: int) -> None:
    """Give every result of the benchmark with this key the place that its figures have by the metrics of now."""
    benchmark = Benchmark.objects.prefetch_related("metrics").get(pk=key)
    found = Result.objects.filter(benchmark=key).select_related("build").prefetch_related("figures").order_by("id")
    rest = found.defer("record").iterator(chunk_size=_AT_A_TIME)
    while some := list(islice(rest, _AT_A_TIME)):
        for result in some:
            _place(result, benchmark)
        Result.objects.bulk_update(some, ["rank_value", *SortKeys.__annotations__], batch_size=100)


def _place(result: Result, benchmark: Benchmark) -> None:
    figures = list(result.figures.all())
    result.rank_value = None if result.build.is_preview else rank_value(figures, benchmark)
    for name, value in sort_keys(result.model_name, figures, benchmark).items():
        setattr(result, name, value)
