"""Every order and filter of a leaderboard says what sorting all results by hand says; an index gives the order."""

import dataclasses
import itertools

import pytest
from django.contrib.auth.models import AnonymousUser
from django.db import connection
from django.http import QueryDict

from sotabench.server.benchmarks.models import Benchmark, Result, Tier
from sotabench.server.benchmarks.queries import leaderboard, results_of_paper, with_figures
from sotabench.server.by_keys import keys_of
from sotabench.server.papers.models import Paper
from sotabench.server.web.leaderboard import Board
from sotabench.server.web.pages import Chosen

SORTS = ("rank", "m1", "m2", "model", "date", "parameters", "macs", "speed")
ORDERS = list(itertools.product(SORTS, ("up", "down")))
FILTERS = [
    {},
    {"q": "net"},
    {"q": "NET 1"},
    {"q": "stra\u00dfe"},
    {"q": "SECRET"},
    {"q": "100%"},
    {"q": "nothing like it"},
    {"tier": "verified"},
    {"extra": "no"},
    {"condition": "A Processor / float32 / batch 128"},
    {"condition": "A Processor / float32 / batch 128", "tier": "self-reported", "extra": "yes", "q": "net"},
]
NAMES = {
    "m1": "Top 5 Accuracy",
    "m2": "Loss",
    "parameters": "Parameters",
    "macs": "MACs",
    "speed": "Samples per Second",
}


@pytest.fixture
def imagenet(benchmarks):
    """The benchmark, with a third metric."""
    found = Benchmark.objects.get(dataset="ImageNet")
    found.metrics.create(name="Loss", position=2, is_fraction=False, higher_is_better=False)
    return Benchmark.objects.get(dataset="ImageNet")


@pytest.fixture
def many(submit, record, secret, imagenet):
    """Results with ties in every figure, and every figure missing somewhere."""
    for first, repository in ((0, None), (3, secret), (40, None)):
        submit(
            *(_record(record, number, imagenet) for number in range(first, first + 36)),
            **({"repository": repository} if repository else {}),
        )
    Result.objects.filter(id__in=[r.pk for r in Result.objects.all() if r.pk % 5 == 0]).update(tier=Tier.VERIFIED)
    return leaderboard(imagenet, AnonymousUser())


def _record(record, number, imagenet):
    results = {"Top 1 Accuracy": number % 7 / 10, "Top 5 Accuracy": number % 5 / 5, "Loss": number % 3 + 0.5}
    facts = {"parameters": number % 6 * 1000, "macs": number % 4 * 10, "dtype": ("float32", "float16")[number % 2]}
    names = (f"Net {number % 19}", f"NET {number}", f"Stra\u00dfe {number}", f"net 100% {number}")
    return record(
        model=names[number % 4],
        results={
            name: value for place, (name, value) in enumerate(results.items()) if not place or number % 11 != place
        },
        model_facts={
            name: value for place, (name, value) in enumerate(facts.items()) if place == 2 or number % 9 != place
        },
        speed={"samples_per_second": number % 8 + 1, "batch_size": 128} if number % 10 else None,
        declared={"extra_training_data": (True, False, None)[number % 3]},
    )


def by_hand(results, query):
    """The keys that the query asks for, from all results and their figures alone."""
    found = []
    for result in results.select_related("repository"):
        figures = {figure.name: figure for figure in result.figures.all()}
        speed = figures.get("Samples per Second")
        names = (result.model_name, result.repository.name, result.repository.owner_name)
        wanted = (
            ("q" not in query or any(query["q"].casefold() in name.casefold() for name in names))
            and query.get("tier", result.tier) == result.tier
            and ("extra" not in query or result.extra_training_data is {"yes": True, "no": False}[query["extra"]])
            and ("condition" not in query or (speed is not None and speed.condition == query["condition"]))
        )
        if wanted:
            plain = {"rank": result.rank_value, "model": result.model_name, "date": result.created_at}
            sort = query["sort"] if query["sort"] != "speed" or "condition" in query else "rank"
            figure = figures.get(NAMES.get(sort))
            found.append((plain.get(sort, figure and figure.value), result.pk))
    is_down = query["order"] == "down" or (query["sort"] == "speed" and "condition" not in query)
    valued = sorted((one for one in found if one[0] is not None), key=lambda one: one[1])
    valued.sort(key=lambda one: one[0], reverse=is_down)
    return [key for _, key in valued] + sorted(key for value, key in found if value is None)


def asked(results, imagenet, query):
    text = QueryDict(mutable=True)
    text.update(query)
    return Board(Chosen(text), list(imagenet.metrics.all())).of(results)


@pytest.mark.parametrize("few", [0, 3, 500])
@pytest.mark.parametrize("sort_and_order", ORDERS, ids="-".join)
def test_every_page_is_what_sorting_by_hand_gives(many, imagenet, sort_and_order, few):
    for chosen in FILTERS:
        query = chosen | dict(zip(("sort", "order"), sort_and_order, strict=True))
        expected = by_hand(many, query)
        found = dataclasses.replace(asked(many, imagenet, query), few=few)
        assert found.count() == len(expected), query
        pages = [found[start : min(start + 7, len(expected))] for start in range(0, len(expected), 7)]
        assert list(itertools.chain(*pages)) == expected, query


@pytest.mark.parametrize("sort_and_order", ORDERS, ids="-".join)
def test_programs_are_answered_the_same(many, imagenet, client, sort_and_order):
    sort, order = sort_and_order
    for chosen in FILTERS:
        named = {"search" if name == "q" else name: value for name, value in chosen.items()}
        query = named | {"sort": sort, "order": order, "limit": 200}
        answer = client.get(f"/api/v1/benchmarks/{imagenet.slug}/results", query)
        if sort == "speed" and "condition" not in chosen:
            assert (answer.status_code, "expected a sort among rank" in answer.content.decode()) == (400, True)
            continue
        expected = by_hand(many, chosen | {"sort": sort, "order": order})
        assert answer.json()["count"] == len(expected)
        assert [one["id"] for one in answer.json()["items"]] == expected, query


@pytest.mark.skipif(
    connection.vendor != "sqlite", reason="PostgreSQL plans by the size of the table, which is small here"
)
@pytest.mark.parametrize("sort", [sort for sort in SORTS if sort != "m2"])
@pytest.mark.parametrize("order", ["up", "down"])
def test_an_index_gives_the_order_and_answers_every_filter(many, imagenet, sort, order):
    for chosen in FILTERS:
        wanted = {"sort": sort, "order": order, "condition": "x"} if sort == "speed" else {"sort": sort, "order": order}
        plan = asked(many, imagenet, chosen | wanted)._valued[:50].explain()
        assert "USING COVERING INDEX" in plan
        assert "USE TEMP B-TREE FOR ORDER BY" not in plan


@pytest.fixture
def counted():
    """What ANALYZE writes down on a site of 115,000 results, most of which name no paper."""
    rows = [
        ("results_of_a_paper", "115000 1293"),
        ("results_of_a_paper_by_pwc", "115000 115000"),
        ("benchmarks_result_build_id_18c5274b", "115000 20"),
        ("benchmarks_result_repository_id_1db4e93a", "115000 384"),
    ]
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")
        cursor.execute("DELETE FROM sqlite_stat1")
        cursor.executemany("INSERT INTO sqlite_stat1 VALUES ('benchmarks_result', %s, %s)", rows)
        cursor.execute("INSERT INTO sqlite_stat1 VALUES ('builds_build', NULL, '6000')")
        cursor.execute("ANALYZE sqlite_schema")  # reads them
        yield
        cursor.execute("DELETE FROM sqlite_stat1")
        cursor.execute("ANALYZE sqlite_schema")


@pytest.mark.skipif(connection.vendor != "sqlite", reason="the same")
@pytest.mark.parametrize("how", ["never counted", "counted"])
def test_a_page_is_read_by_key_and_a_papers_results_by_the_papers_name(many, request, how):
    """With neither, SQLite goes through all current results for one page."""
    if how == "counted":
        request.getfixturevalue("counted")
    keys = list(many.values_list("pk", flat=True)[:5])
    assert "SEARCH benchmarks_result USING INTEGER PRIMARY KEY" in with_figures().filter(pk__in=keys).explain()
    paper = Paper(title="A Net", slug="a-net", arxiv_id="1611.05431")
    plan = keys_of(results_of_paper(paper, AnonymousUser()).order_by("benchmark", "-rank_value", "id")).explain()
    assert "SEARCH benchmarks_result USING INTEGER PRIMARY KEY" in plan
    assert "USING COVERING INDEX results_of_a_paper (arxiv_id=?)" in plan
    assert "USING COVERING INDEX results_of_a_paper_by_pwc (pwc_id=?)" in plan
