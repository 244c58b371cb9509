"""What a result repeats of its name and figures is what they say, also for the longest that there are."""

import random
from importlib import import_module

import pytest
from django.apps import apps

from sotabench.server.benchmarks.figures import SPEED
from sotabench.server.benchmarks.models import Result
from sotabench.server.benchmarks.sort_keys import condition_key, sort_keys

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("benchmarks")]

KEYS = ("search_name", "second_value", "parameters", "macs", "speed", "speed_condition")


def keys_of(result):
    return {name: getattr(result, name) for name in KEYS}


def test_keys_are_those_of_the_record(submit, record):
    (result,) = submit(record(model="ResNeXt-101 STRASSE \u00c4"))
    assert keys_of(result) == {
        "search_name": "resnext-101 strasse \u00e4",
        "second_value": 0.94526,
        "parameters": 88_791_336,
        "macs": 16_414_000_000,
        "speed": 12.5,
        "speed_condition": condition_key("A Processor / float32 / batch 128"),
    }


def test_what_is_not_said_has_no_key(submit, record):
    (result,) = submit(record(results={"Top 1 Accuracy": 0.5}, model_facts=None, speed=None))
    assert [keys_of(result)[name] for name in KEYS[1:]] == [None, None, None, None, ""]


def test_longest_names_and_conditions_fit_into_every_index(submit, record):
    chance = random.Random(1)  # noqa: S311 - letters that no index can compress
    letters = ["".join(chr(chance.randrange(0x20000, 0x2A6D0)) for _ in range(300)) for _ in range(3)]
    environment, facts = {"accelerator": letters[1]}, {"dtype": letters[2], "parameters": 1}
    (result,) = submit(record(model=letters[0], environment=environment, model_facts=facts))
    assert result.model_name == letters[0]
    assert result.search_name == letters[0]


def test_migration_gives_old_results_the_same_keys(submit, record):
    submit(
        record(model="Stra\u00dfe \u0130"),
        record(model="UPPER", speed=None),
        record(model="half", environment={"device": "another"}),
        record(model="few", results={"Top 1 Accuracy": 0.5}, model_facts=None),
        record(model="Ten", dataset_name="CIFAR-10", samples=10_000, dataset=None),
    )
    expected = {result.pk: keys_of(result) for result in Result.objects.all()}
    assert len({keys["speed_condition"] for keys in expected.values()}) == 4
    Result.objects.update(**dict.fromkeys(KEYS[1:5]), search_name="", speed_condition="")
    import_module("sotabench.server.benchmarks.migrations.0005_sort_keys").fill(apps, None)
    assert {result.pk: keys_of(result) for result in Result.objects.all()} == expected


def test_keys_follow_from_the_stored_figures(submit, record):
    for result in submit(record(), record(model="other", speed=None)):
        figures = list(result.figures.all())
        assert sort_keys(result.model_name, figures, result.benchmark) == keys_of(result)
        assert (result.speed is None) == (SPEED not in {figure.name for figure in figures})


def test_leaderboard_follows_the_metrics_that_its_owner_gives_it(submit, record, admin_client):
    """By the admin's own form: Top 5 ranks now, lower is better, and Top 1 is the second."""
    by_name = {one.model_name: one for model, results in {
        "A": {"Top 1 Accuracy": 0.7, "Top 5 Accuracy": 0.9}, "B": {"Top 1 Accuracy": 0.6, "Top 5 Accuracy": 0.8},
    }.items() for one in submit(record(model=model, results=results))}  # fmt: skip
    benchmark = by_name["A"].benchmark
    top1, top5 = benchmark.metrics.all()
    form = {name: getattr(benchmark, name) or "" for name in ("task", "dataset", "slug", "dataset_version", "size")}
    form |= {"is_listed": "on", "metrics-TOTAL_FORMS": 2, "metrics-INITIAL_FORMS": 2}
    for place, (metric, position, higher) in enumerate(((top1, 7, "on"), (top5, 0, ""))):
        facts = {"id": metric.pk, "benchmark": benchmark.pk, "name": metric.name, "position": position}
        facts |= {"is_fraction": "on"} | ({"higher_is_better": higher} if higher else {})
        form |= {f"metrics-{place}-{name}": value for name, value in facts.items()}
    answer = admin_client.post(f"/admin/benchmarks/benchmark/{benchmark.pk}/change/", form)
    assert answer.status_code == 302, answer.content.decode()
    for one in by_name.values():
        one.refresh_from_db()
    assert [(one.rank_value, one.second_value) for one in by_name.values()] == [(-0.9, 0.7), (-0.8, 0.6)]
    assert keys_of(by_name["A"])["search_name"] == "a"
