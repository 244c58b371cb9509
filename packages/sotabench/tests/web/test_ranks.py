"""Places on one leaderboard agree with those that are counted one by one."""

import pytest

from sotabench.server.benchmarks.models import Benchmark, Result
from sotabench.server.benchmarks.queries import global_ranks
from sotabench.server.web.ranks import ranks_on


@pytest.fixture
def many(submit, record, secret, benchmarks):
    """Results with many ties, some of them private."""
    for step, repository in ((7, None), (3, secret)):
        accuracies = [number * step % 11 / 20 for number in range(20)]
        records = [
            record(model=f"Net {number}", results={"Top 1 Accuracy": accuracy, "Top 5 Accuracy": 1.0})
            for number, accuracy in enumerate(accuracies)
        ]
        submit(*records, **({"repository": repository} if repository else {}))
    return list(Result.objects.order_by("id"))


def test_places_are_those_that_are_counted_one_by_one(many):
    benchmark = Benchmark.objects.get(dataset="ImageNet")
    for some in (many, many[:1], many[5:9], many[::3]):
        assert ranks_on(benchmark, some) == global_ranks(some)


def test_nothing_has_no_place(benchmarks, django_assert_num_queries):
    benchmark = Benchmark.objects.get(dataset="ImageNet")
    with django_assert_num_queries(0):
        assert ranks_on(benchmark, []) == {}


def test_all_places_are_one_query(many, django_assert_num_queries):
    benchmark = Benchmark.objects.get(dataset="ImageNet")
    with django_assert_num_queries(1):
        ranks_on(benchmark, many)
