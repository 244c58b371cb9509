"""Code beside paper: what is matched, what is shown and not guessed, and what the verdict is."""

import pytest

from sotabench.server.benchmarks.matching import Match, beside_papers
from sotabench.server.benchmarks.models import Figure, Metric
from sotabench.server.benchmarks.verdicts import Verdict, compare_figure
from sotabench.server.papers.importing import import_files
from sotabench.server.papers.models import ReportedResult

pytestmark = pytest.mark.django_db

HEADER = "model_name,arxiv_id,paper_title,year,top1,top5,params_m,extra_training_data\n"


@pytest.fixture
def beside(submit, record, resnexts):
    def side(**changes):
        (result,) = submit(record(**changes))
        return beside_papers([result])[result.pk]

    return side


def test_seeds_example_is_answered_honestly(beside):
    side = beside()
    assert side.match is Match.MODEL_NOT_REPORTED
    assert side.paper.title == "Aggregated Residual Transformations for Deep Neural Networks"
    assert side.reported_models == ("ResNeXt-101 64x4",)
    assert side.published is None
    assert not side.holds
    torchvision = [other for other in side.catalogues if other.row.catalogue == "torchvision"]
    assert torchvision[0].row.model_name == "resnext101_32x8d IMAGENET1K_V1"
    assert [(c.published_text, c.difference, c.verdict) for c in torchvision[0].comparisons] == [
        ("0.79312", 0.0, Verdict.REPRODUCES),
        ("0.94526", 0.0, Verdict.REPRODUCES),
    ]
    assert {row.row.architecture_key for row in side.catalogues} == {"resnext101-32x8d"}


def test_weights_that_the_record_names_come_first_among_the_catalogues(beside):
    url = "https://download.pytorch.org/models/resnext101_32x8d-110c445d.pth"
    side = beside(weights=[{"url": url, "size": 1, "sha256": "0" * 64}])
    assert side.catalogues[0].row.model_name == "resnext101_32x8d IMAGENET1K_V2"


@pytest.mark.parametrize("name", ["ResNeXt-101 64x4", "resnext101_64x4", "ResNeXt-101-64x4"])
def test_model_that_the_paper_reports_is_matched_in_any_spelling(beside, name):
    side = beside(model=name, results={"Top 1 Accuracy": 0.81, "Top 5 Accuracy": 0.954})
    assert side.match is Match.MATCHED
    assert [(c.metric, c.published_text, c.verdict) for c in side.comparisons] == [
        ("Top 1 Accuracy", "0.809", Verdict.REPRODUCES),
        ("Top 5 Accuracy", "0.956", Verdict.FALLS_SHORT),
    ]
    assert not side.holds


def test_versions_and_addresses_of_a_paper_are_its_id(beside):
    assert beside(arxiv_id="https://arxiv.org/abs/1611.05431v2").paper.arxiv_id == "1611.05431"


def test_id_of_papers_with_code_finds_the_paper_whose_title_begins_so(beside):
    side = beside(arxiv_id=None, pwc_id="aggregated-residual-transformations-for-deep", model="ResNeXt-101 64x4")
    assert side.match is Match.MATCHED
    assert beside(arxiv_id=None, pwc_id="aggregated").match is Match.PAPER_UNKNOWN


def test_no_paper_and_an_unknown_paper_are_told_apart(beside):
    assert beside(arxiv_id=None).match is Match.NO_PAPER
    assert beside(arxiv_id="2999.00001").match is Match.PAPER_UNKNOWN


@pytest.mark.parametrize("said", ["math.GT/0309136", "math/0309136", "math.GT/0309136v2", "arXiv:math/0309136"])
@pytest.mark.parametrize("kept", ["math.GT/0309136", "math/0309136"])
def test_old_id_of_arxiv_finds_its_paper_with_and_without_the_subject_class(beside, tmp_path, kept, said):
    path = tmp_path / "old.csv"
    path.write_text(HEADER + f"Perceptron,{kept},An Old Paper,2003,0.5,,1,no\n")
    assert not import_files([path]).bad
    side = beside(model="perceptron", arxiv_id=said)
    assert (side.match, side.paper.arxiv_id) == (Match.MATCHED, "math/0309136")


@pytest.mark.parametrize("said", [{"arxiv_id": "see the README"}, {"arxiv_id": "", "pwc_id": "no/such thing!"}])
def test_what_names_a_paper_and_cannot_be_read_is_an_unknown_one(beside, said):
    assert beside(**({"arxiv_id": None} | said)).match is Match.PAPER_UNKNOWN
    assert beside(arxiv_id=" ", pwc_id="").match is Match.NO_PAPER


def test_two_candidates_are_shown_and_not_guessed(beside, tmp_path):
    line = "{},1611.05431,Aggregated Residual Transformations for Deep Neural Networks,2016,{},0.956,84,no\n"
    path = tmp_path / "more.csv"
    path.write_text(HEADER + line.format("ResNeXt 101 64x4", "0.796"))
    import_files([path])
    side = beside(model="ResNeXt-101 64x4")
    assert side.match is Match.SEVERAL
    assert [row.model_name for row in side.candidates] == ["ResNeXt-101 64x4", "ResNeXt 101 64x4"]
    assert side.comparisons == ()


def test_two_sources_that_say_the_same_are_one_candidate(beside, tmp_path):
    path = tmp_path / "more.csv"
    title = "Aggregated Residual Transformations for Deep Neural Networks"
    path.write_text(HEADER + f"ResNeXt 101 64x4,1611.05431,{title},2016,0.809,,84,no\n")
    import_files([path])
    assert beside(model="ResNeXt-101 64x4").match is Match.MATCHED


def test_paper_results_of_the_file_are_shown_as_its_authors(beside):
    side = beside(arxiv_id=None, paper_results={"Top 1 Accuracy": 0.7925})
    assert [(c.published_text, c.verdict) for c in side.by_author] == [("0.7925", Verdict.REPRODUCES)]
    assert side.holds
    assert side.published is None


def test_part_of_the_images_is_not_comparable_and_says_why(beside):
    part = {"name": "ImageNet", "fingerprint": "b" * 64, "samples": 20, "size": 50_000, "complete": False}
    side = beside(model="ResNeXt-101 64x4", samples=20, dataset=part, results={"Top 1 Accuracy": 0.85})
    assert side.match is Match.MATCHED
    assert [(c.verdict, c.reason) for c in side.comparisons] == [
        (Verdict.NOT_COMPARABLE, "a part of the data: 20 of 50,000 images")
    ]
    assert not side.holds


@pytest.mark.parametrize("count", [1, 8])
def test_sides_of_many_results_cost_as_many_queries_as_of_one(
    submit, record, resnexts, django_assert_num_queries, count
):
    names = ["ResNeXt-101-32x8d", "ResNeXt-101 64x4", *(f"Net {number}" for number in range(6))]
    ids = {"arxiv_id": "1611.05431", "pwc_id": "u-gat-it-unsupervised-generative-attentional"}
    results = submit(*(record(model=name, **ids) for name in names[:count]))
    with django_assert_num_queries(10):  # one of them for the id that is the beginning of a title
        beside_papers(results)


def compare(measured, text, *, higher_is_better=True, is_fraction=True, interval=(None, None)):
    metric = Metric(name="m", higher_is_better=higher_is_better, is_fraction=is_fraction)
    figure = Figure(name="m", value=measured, low=interval[0], high=interval[1])
    decimals = len(text.split(".")[1]) if "." in text else 0
    return compare_figure(figure, metric, published=float(text), step=10.0**-decimals, text=text)


@pytest.mark.parametrize(
    ("measured", "published", "verdict"),
    [
        (0.79312, "0.79312", Verdict.REPRODUCES),
        (0.792115, "0.79312", Verdict.REPRODUCES),  # 0.79312 - 0.000005 - 0.001
        (0.792114, "0.79312", Verdict.FALLS_SHORT),
        (0.7915, "0.793", Verdict.REPRODUCES),  # 0.793 - 0.0005 - 0.001
        (0.7914, "0.793", Verdict.FALLS_SHORT),
        (0.794, "0.80", Verdict.REPRODUCES),  # 0.80 - 0.005 - 0.001
        (0.79398, "0.80", Verdict.FALLS_SHORT),
        (0.7945, "0.793", Verdict.REPRODUCES),
        (0.7946, "0.793", Verdict.BETTER),
    ],
)
def test_verdict_at_its_borders(measured, published, verdict):
    assert compare(measured, published).verdict is verdict


def test_interval_is_shown_and_never_excuses():
    comparison = compare(0.75, "0.793", interval=(0.5, 0.9))
    assert comparison.verdict is Verdict.FALLS_SHORT
    assert comparison.interval == (0.5, 0.9)


def test_less_is_better_where_the_metric_says_so():
    assert compare(17.0, "17.1", higher_is_better=False, is_fraction=False).verdict is Verdict.BETTER
    assert compare(17.2, "17.1", higher_is_better=False, is_fraction=False).verdict is Verdict.FALLS_SHORT
    assert compare(17.15, "17.1", higher_is_better=False, is_fraction=False).verdict is Verdict.REPRODUCES


def test_catalogues_rows_are_never_what_the_paper_reports(resnexts):
    rows = ReportedResult.objects.exclude(catalogue="paper")
    assert set(rows.values_list("reporter", flat=True)) == {"catalogue"}
