"""Places on leaderboards agree with those that are counted one by one."""

import pytest

from sotabench.server.benchmarks.models import Benchmark, Result
from sotabench.server.benchmarks.ranks import global_ranks
from sotabench.server.repositories.models import Repository


def counted_one_by_one(results):
    """The same places, by comparing every result with every other."""
    current = [result for result in Result.objects.select_related("repository") if result.superseded_by_id is None]
    public = [result for result in current if result.repository.is_public and result.rank_value is not None]
    places = {}
    for result in results:
        if result.rank_value is not None:
            rivals = [other for other in public if other.benchmark_id == result.benchmark_id]
            places[result.pk] = 1 + sum(other.rank_value > result.rank_value for other in rivals)
    return places


@pytest.fixture
def many(submit, record, ada, benchmarks):
    """Results on two benchmarks with many ties, some of them private, some superseded, one that reached nothing."""
    secret = Repository.objects.create(host="github.com", owner_name="ada", name="secret", owner=ada, is_public=False)
    for step, repository in ((7, None), (3, secret), (5, None)):
        for dataset, samples in (("ImageNet", 50_000), ("CIFAR-10", 10_000)):
            records = [
                record(
                    model=f"Net {number}",
                    results={"Top 1 Accuracy": number * step % 11 / 20, "Top 5 Accuracy": 1.0},
                    dataset_name=dataset,
                    samples=samples,
                    dataset=None,
                )
                for number in range(20)
            ]
            submit(*records, **({"repository": repository} if repository else {}))
    Result.objects.filter(pk=Result.objects.order_by("-pk").values_list("pk", flat=True)[0]).update(rank_value=None)
    return list(Result.objects.order_by("id"))


def test_places_are_those_that_are_counted_one_by_one(many):
    assert len({result.benchmark_id for result in many}) == 2
    for some in (many, many[:1], many[5:9], many[::3], many[-1:]):
        assert global_ranks(some) == counted_one_by_one(some)


def test_a_metric_that_is_better_when_lower_ranks_the_lowest_first(submit, record, benchmarks):
    metric = Benchmark.objects.get(dataset="ImageNet").metrics.get(position=0)
    metric.higher_is_better = False
    metric.save()
    best, worst = submit(*(record(model=str(value), results={"Top 1 Accuracy": value}) for value in (0.25, 0.5)))
    assert global_ranks([worst, best]) == {best.pk: 1, worst.pk: 2}


def test_nothing_has_no_place(benchmarks, django_assert_num_queries):
    with django_assert_num_queries(0):
        assert global_ranks([]) == {}


def test_all_places_are_one_query(many, django_assert_num_queries):
    with django_assert_num_queries(1):
        global_ranks(many)
