"""Papers are found by what files call them, however many files there are."""

import pytest
from django.forms.models import model_to_dict

from sotabench.server.benchmarks.models import Figure, Result
from sotabench.server.papers.models import Paper
from sotabench.server.papers.queries import SHORTEST_CUT_SLUG, papers_of

pytestmark = pytest.mark.django_db

MANY = 2_500


def long_name(number):
    return f"a-title-that-papers-with-code-cut-at-a-word-{number}"


@pytest.fixture
def papers():
    """Papers in turn by an id of their own, by their title, and by the beginning of their title."""
    made = []
    for number in range(MANY):
        name = long_name(number)
        slug, pwc_id = [(f"other-{number}", name), (name, None), (f"{name}-and-the-rest", None)][number % 3]
        made.append(Paper(title=f"Paper {number}", slug=slug, pwc_id=pwc_id, year=2000 + number % 20))
    return Paper.objects.bulk_create(made)


def test_thousands_of_ids_each_find_their_paper(papers, django_assert_max_num_queries):
    ids = [long_name(number) for number in range(MANY)]
    with django_assert_max_num_queries(20):
        _, by_pwc = papers_of([], [*ids, *(f"nobody-has-this-name-of-a-paper-{number}" for number in range(MANY))])
    assert {name: paper.title for name, paper in by_pwc.items()} == {
        name: f"Paper {number}" for number, name in enumerate(ids)
    }


def test_page_of_ids_that_are_known_costs_two_queries(papers, django_assert_num_queries):
    with django_assert_num_queries(2):
        assert len(papers_of(["1611.05431"], [long_name(0), long_name(1)])[1]) == 2
    with django_assert_num_queries(3):
        assert len(papers_of(["1611.05431"], [long_name(0), long_name(1), long_name(2)])[1]) == 3


def test_own_id_counts_more_than_a_title_and_a_title_more_than_its_beginning():
    name = long_name(1)
    cut = Paper.objects.create(title="cut", slug=f"{name}-and-the-rest")
    assert papers_of([], [name])[1] == {name: cut}
    titled = Paper.objects.create(title="titled", slug=name)
    assert papers_of([], [name])[1] == {name: titled}
    named = Paper.objects.create(title="named", slug="other", pwc_id=name)
    assert papers_of([], [name])[1] == {name: named}


def test_beginning_of_two_titles_or_a_short_one_is_no_paper():
    name, short = long_name(1), "a" * (SHORTEST_CUT_SLUG - 1)
    for slug in (f"{name}-one", f"{name}-two", f"{short}-and-the-rest"):
        Paper.objects.create(title=slug, slug=slug)
    assert papers_of([], [name, short])[1] == {}
    longer = f"{name}-one"
    assert papers_of([], [name, longer])[1] == {longer: Paper.objects.get(slug=longer)}


def test_plot_against_year_is_drawn_for_600_results_that_name_600_papers(client, papers, submit, record, benchmarks):
    (one,) = submit(record(arxiv_id=None))
    given = model_to_dict(one, exclude=["id", "build", "repository", "benchmark", "carried_from", "superseded_by"])
    others = [
        Result(
            **given | {"pwc_id": long_name(number), "record_sha256": f"{number:064}"},
            build=one.build, repository=one.repository, benchmark=one.benchmark,
        )
        for number in range(700)
    ]  # fmt: skip
    made = Result.objects.bulk_create(others)
    Figure.objects.bulk_create(
        Figure(result=result, name="Top 1 Accuracy", value=0.79, tier="self-reported") for result in made
    )
    found = client.get("/api/v1/benchmarks/image-classification-on-imagenet/plot?against=year").json()["points"]
    assert len([point for point in found if point["kind"] == "own"]) >= 590
    assert client.get("/benchmarks/image-classification-on-imagenet?tab=plot&x=year").status_code == 200
