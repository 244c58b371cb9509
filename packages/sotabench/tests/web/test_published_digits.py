"""A figure and the published one beside it have the digits and the unit that each was given in."""

import json

import pytest

from sotabench.server.benchmarks.models import Benchmark
from sotabench.server.benchmarks.services import add_benchmark
from sotabench.server.papers.importing import import_files

MINUS = "\u2212"
HEADER = "title,arxiv_id,year,model,top1,top5\n"


@pytest.fixture
def detection(db):
    """A benchmark whose metrics are no fractions: of one more is better, of the other less."""
    return add_benchmark("Object Detection", "COCO", size=5000, metrics=["box AP", "FID"])


@pytest.fixture
def detected(submit, record, detection):
    """Submits a detector, with what its author says that the paper reports."""

    def made(results, paper_results, **more):
        said = record(
            task="Object Detection", dataset_name="COCO", dataset=None, samples=5000, arxiv_id=None,
            results=results, paper_results=paper_results, **more,
        )  # fmt: skip
        return submit(said)[0]

    return made


@pytest.fixture
def paper_with_code(tmp_path, benchmarks):
    """Papers With Code's table of one paper, with these accuracies as its texts."""

    def imported(top_1, top_5):
        row = {
            "model_name": "Net", "paper_title": "A paper of a net", "paper_date": "2017-01-01",
            "paper_url": "https://arxiv.org/abs/1701.00001",
            "metrics": {"Top 1 Accuracy": top_1, "Top 5 Accuracy": top_5},
        }  # fmt: skip
        tables = [{"task": "Image Classification", "datasets": [{"dataset": "ImageNet", "sota": {"rows": [row]}}]}]
        (tmp_path / "tables.json").write_text(json.dumps(tables))
        assert not import_files([tmp_path / "tables.json"]).bad

    return imported


def test_metric_that_is_no_fraction_is_compared_in_its_own_unit(page, detected):
    result = detected({"box AP": 40.1, "FID": 32.47}, {"box AP": 40.2, "FID": 32.5})
    html = page(f"/results/{result.pk}")
    assert f'<td class="number">40.2</td><td class="number">{MINUS}0.1</td>' in html
    assert f'<td class="number">32.5</td><td class="number">{MINUS}0.03</td>' in html
    assert ">40.1<" in html
    assert ">32.47<" in html
    assert "points" not in html.split("<h2>Results</h2>")[1].split("</table>")[0].replace("0.1 points", "")


@pytest.mark.parametrize(("value", "shown"), [(999.6, "999.6"), (32.47, "32.47"), (12345.678, "12345.7"), (0.5, "0.5")])
def test_metric_that_is_no_fraction_keeps_its_digits_everywhere(page, detected, value, shown):
    result = detected({"box AP": value}, None)
    for address in (f"/results/{result.pk}", f"/benchmarks/{result.benchmark.slug}", "/"):
        assert f'<b class="figure">{shown}</b>' in page(address)
    assert f": {shown}<" in page(f"/benchmarks/{result.benchmark.slug}?tab=plot")


@pytest.mark.parametrize(
    ("texts", "shown"), [(("79.3%", "94.50%"), ("79.3 %", "94.50 %")), (("0.80", "0.945"), ("80 %", "94.5 %"))]
)
def test_published_percent_has_the_digits_that_were_published(page, submit, record, paper_with_code, texts, shown):
    paper_with_code(*texts)
    results = {"Top 1 Accuracy": 0.7942, "Top 5 Accuracy": 0.945}
    (result,) = submit(record(model="Net", arxiv_id="1701.00001", results=results))
    assert f'<td class="number">{shown[0]}</td>' in page(f"/results/{result.pk}")
    for address in ("/", f"/benchmarks/{result.benchmark.slug}", "/paper/a-paper-of-a-net"):
        for text in shown:
            assert f'<span class="figure">{text}</span>' in page(address), address


def test_authors_fraction_has_the_digits_that_the_file_gives(page, submit, record, benchmarks):
    given = {"Top 1 Accuracy": 0.7925, "Top 5 Accuracy": 1}
    (result,) = submit(record(arxiv_id=None, paper_results=given))
    html = page(f"/results/{result.pk}")
    assert '<td class="number">79.25 %</td><td class="number">+0.06 points</td>' in html
    assert f'<td class="number">100 %</td><td class="number">{MINUS}5.47 points</td>' in html


def test_catalogues_difference_is_in_the_unit_of_the_metric(page, resnext):
    assert '<td class="number">+0.00 points</td>' in page(f"/results/{resnext.pk}").split("by catalogues")[1]


def test_api_says_the_difference_in_the_metrics_own_unit(client, detected, submit, record, benchmarks):
    detector = detected({"box AP": 40.1}, {"box AP": 40.2})
    (net,) = submit(record(arxiv_id=None, paper_results={"Top 1 Accuracy": 0.78312}), commit="2" * 40)
    found = [
        client.get(f"/api/v1/results/{result.pk}").json()["beside"]["comparisons"][0]["difference"]
        for result in (detector, net)
    ]
    assert found == [-0.1, 0.01]
    fields = client.get("/api/v1/openapi.json").json()["components"]["schemas"]["ComparisonOut"]["properties"]
    assert "0.01 is one point" in fields["difference"]["description"]
    assert Benchmark.objects.count() > 1
