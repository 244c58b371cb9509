"""A record's numbers are a stranger's: whatever they are, every page that shows them answers."""

import pytest

from sotabench.server.benchmarks.models import Figure, Metric, Result
from sotabench.server.benchmarks.services import add_benchmark
from sotabench.server.papers.models import ReportedFigure, ReportedResult

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("benchmarks")]

BOARD = "/benchmarks/image-classification-on-imagenet"
API = "/api/v1/benchmarks/image-classification-on-imagenet"
QUERIES = (
    "", "?tab=plot", "?tab=plot&x=year", "?tab=papers", "?sort=parameters", "?sort=macs&c=macs&c=parameters&c=speed",
    "?c=speed&condition=A+Processor+/+float32+/+batch+128&sort=speed",
)  # fmt: skip
ODD = {
    "a result named as a declared figure": {"results": {"Top 1 Accuracy": 0.9, "Parameters": -1.0, "MACs": 0.0}},
    "a speed among the results": {"results": {"Top 1 Accuracy": 0.9, "Samples per Second": -1e308}},
    "more parameters than there are atoms": {"model_facts": {"parameters": 1e308, "macs": 1e308}},
    "hardly a parameter": {"model_facts": {"parameters": 5e-324, "macs": 5e-324}},
    "as many as 64 bits count": {"model_facts": {"parameters": 2**63 - 1, "macs": 2**63 - 1}},
    "an endless speed": {"speed": {"samples_per_second": 1e308, "batch_size": 128}},
    "other results": {"results": {"Top 1 Accuracy": 0.9, "Score": -1e308, "Less": 5e-324}},
}


@pytest.fixture
def answered(client, page):
    """Asks for every page, in the site's and in the API's words, that a result's numbers are on."""

    def asked(result, board=BOARD, api=API):
        for address in (*(board + query for query in QUERIES), f"/results/{result.pk}", "/", "/user/ada"):
            page(address)
        for address in (f"{api}/results", f"{api}/plot", f"{api}/plot?against=year", f"/api/v1/results/{result.pk}"):
            assert client.get(address).status_code == 200, address

    return asked


@pytest.fixture
def page(client):
    """The text of the page at an address, which has to be there."""

    def text(address):
        answer = client.get(address)
        assert answer.status_code == 200, address
        return answer.content.decode()

    return text


@pytest.mark.parametrize("changes", ODD.values(), ids=ODD)
def test_every_page_answers_whatever_one_account_submits(answered, page, submit, record, changes):
    submit(record(model="Honest"))
    (odd,) = submit(record(model="Odd") | changes, commit="1" * 40)
    answered(odd)
    assert "Honest: 79.312 %" in page(f"{BOARD}?tab=plot")


def test_what_only_the_process_knows_is_declared_and_no_result(submit, record):
    results = {"Top 1 Accuracy": 0.9, "Parameters": -1.0, "Samples per Second": 1e9}
    (result,) = submit(record(results=results))
    figures = {figure.name: (figure.value, figure.tier) for figure in result.figures.all()}
    assert figures["Parameters"] == (88_791_336, "declared")
    assert figures["Samples per Second"] == (12.5, "declared")
    assert (result.parameters, result.speed) == (88_791_336, 12.5)


def test_benchmark_may_be_ranked_by_what_is_else_declared(submit, record):
    add_benchmark("Speed", "ImageNet", size=50_000, metrics=["Samples per Second"])
    (result,) = submit(record(task="Speed", dataset=None, results={"Samples per Second": 900.0}))
    assert result.rank_value == 900


def test_numbers_stored_by_an_earlier_version_are_not_drawn(answered, page, submit, record):
    odd, _ = submit(record(model="Odd"), record(model="Honest"))
    Result.objects.filter(pk=odd.pk).update(parameters=-1, macs=-1)
    Figure.objects.filter(result=odd, name="Parameters").update(value=-1)
    answered(odd)
    drawn = page(f"{BOARD}?tab=plot")
    assert "Honest: 79.312 %" in drawn
    assert "Odd: 79.312 %" not in drawn


@pytest.mark.parametrize("value", [1e308, -1e308, 1e15, 123_456_789.0, 5e-324, 0.0])
@pytest.mark.parametrize("is_fraction", [True, False])
def test_plot_is_drawn_whatever_the_first_metric_is(answered, submit, record, value, is_fraction):
    benchmark = add_benchmark("Generation", "ImageNet", size=50_000, metrics=["FID"])
    Metric.objects.filter(benchmark=benchmark).update(is_fraction=is_fraction)
    odd = record(task="Generation", dataset=None, model="Odd", results={"FID": value}, paper_results={"FID": -value})
    (result,) = submit(odd)
    answered(result, f"/benchmarks/{benchmark.slug}", f"/api/v1/benchmarks/{benchmark.slug}")
    submit(odd | {"model": "Other", "results": {"FID": -value}}, commit="1" * 40)
    answered(result, f"/benchmarks/{benchmark.slug}", f"/api/v1/benchmarks/{benchmark.slug}")


def test_published_numbers_beyond_all_bounds_are_not_drawn(client, page, submit, record):
    (result,) = submit(record())
    for name, parameters in (("None", 0), ("Huge", 2**63 - 1)):
        row = ReportedResult.objects.create(
            reporter="catalogue", catalogue="c", task="t", dataset="d", benchmark=result.benchmark.slug,
            model_name=name, parameters=parameters, rank_value=1.0,
        )  # fmt: skip
        ReportedFigure.objects.create(result=row, metric="Top 1 Accuracy", text="1", value=1.0, step=0.1)
    names = [point["name"] for point in client.get(f"{API}/plot").json()["points"]]
    assert result.model_name in names
    assert {"None", "Huge"}.isdisjoint(names)
    assert "<svg" in page(f"{BOARD}?tab=plot")
