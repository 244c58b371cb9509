"""Leaderboards, ranks, and who sees what."""

import pytest
from django.contrib.auth.models import AnonymousUser
from django.db import connection
from django.test.utils import CaptureQueriesContext

from sotabench.server.api.v1_beside import ResultPages
from sotabench.server.benchmarks.models import Benchmark
from sotabench.server.benchmarks.queries import (
    benchmark_by_slug,
    current_results,
    history_of,
    leaderboard,
    result_for,
    results_for,
    results_of_paper,
    with_figures,
)
from sotabench.server.benchmarks.ranks import global_ranks
from sotabench.server.builds import leases
from sotabench.server.builds.models import Build
from sotabench.server.builds.queries import builds_for, builds_of
from sotabench.server.builds.services import build_push
from sotabench.server.errors import NotFound
from sotabench.server.papers.models import Paper
from sotabench.server.repositories.services import set_public

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("benchmarks")]


def accuracies(record, *values):
    return [record(model=f"Net {value}", results={"Top 1 Accuracy": value}) for value in values]


def test_leaderboard_is_best_first_without_what_was_superseded(submit, record):
    submit(*accuracies(record, 0.5, 0.75, 0.625))
    submit(record(model="Net 0.75", results={"Top 1 Accuracy": 0.25}))
    rows = leaderboard(benchmark_by_slug("image-classification-on-imagenet"), AnonymousUser())
    assert [result.rank_value for result in rows] == [0.625, 0.5, 0.25]


def test_rank_counts_the_better_ones_and_equals_share_a_place(submit, record, vision):
    submit(*accuracies(record, 0.5, 0.75))
    submit(record(model="Equal", results={"Top 1 Accuracy": 0.75}))
    results = list(current_results(vision))
    ranks = global_ranks(results)
    assert {result.model_name: ranks[result.pk] for result in results} == {"Net 0.75": 1, "Equal": 1, "Net 0.5": 3}


def test_private_repository_is_seen_by_its_owner_and_the_sites_alone(submit, record, vision, ada, bob, owner_of_site):
    (result,) = submit(record())
    set_public(ada, vision, is_public=False)
    benchmark = Benchmark.objects.get(slug="image-classification-on-imagenet")
    for viewer, sees in ((ada, True), (owner_of_site, True), (bob, False), (AnonymousUser(), False)):
        assert leaderboard(benchmark, viewer).exists() is sees
        if sees:
            assert result_for(viewer, result.pk) == result
        else:
            with pytest.raises(NotFound):
                result_for(viewer, result.pk)
    assert global_ranks([result]) == {result.pk: 1}


def test_results_of_a_paper_are_those_whose_files_name_it(submit, record):
    title = "Aggregated Residual Transformations for Deep Neural Networks"
    paper = Paper.objects.create(
        title=title, slug="aggregated-residual-transformations-for-deep-neural-networks", arxiv_id="1611.05431"
    )
    named, by_pwc, _ = submit(
        record(model="a"),
        record(model="b", arxiv_id=None, pwc_id="aggregated-residual-transformations-for-deep"),
        record(model="c", arxiv_id=None),
    )
    assert set(results_of_paper(paper, AnonymousUser())) == {named, by_pwc}


def test_no_list_reads_what_its_builds_depend_on(ada, vision, submit, record, benchmarks):
    """Megabytes of a build, which a page of fifty results, or a runner's every sign of life, would read for nothing."""
    (result,) = submit(record())
    lists = [
        results_for(ada), leaderboard(result.benchmark, ada), current_results(vision), history_of(result, ada),
        builds_of(vision), builds_for(ada), with_figures(),
    ]  # fmt: skip
    for rows in lists:
        assert '"inputs"' not in str(rows.query)
    build_push(vision, commit="b" * 40, branch="main")
    token = leases.claim(leases.create_runner("lab")[0], slot=0).token
    Build.objects.update(inputs={"tree": "x"}, inputs_key="k")
    with CaptureQueriesContext(connection) as asked:
        attempt = leases.renew(token)
        ResultPages().paginate_queryset(current_results(vision), ResultPages.Input(), None)
    assert not [one["sql"] for one in asked if '"inputs"' in one["sql"]]
    assert (attempt.build.inputs, attempt.build.inputs_key) == ({"tree": "x"}, "k")
