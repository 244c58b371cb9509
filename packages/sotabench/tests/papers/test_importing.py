"""Published tables come in: idempotent, bad rows named, the rest in."""

import gzip
import json

import pytest

from sotabench.server.papers.importing import import_files, shipped_files
from sotabench.server.papers.models import Paper, ReportedFigure, ReportedResult

pytestmark = pytest.mark.django_db

PAPER_HEADER = "model_name,arxiv_id,paper_title,year,top1,top5,params_m,extra_training_data\n"


@pytest.fixture
def write(tmp_path):
    def to(name, text):
        path = tmp_path / name
        path.write_text(text, encoding="utf-8")
        return path

    return to


def test_fresh_site_knows_both_shipped_tables_and_names_their_one_bad_row():
    report = import_files(shipped_files())
    assert (report.added, report.changed, report.unchanged) == (77 + 2104, 0, 0)
    (bad,) = report.bad
    assert (bad.file, bad.place) == ("imagenet_reported_results.csv", "line 99")
    assert bad.reason == "expected Top 1 Accuracy to be a number such as 0.793 or 79.3%, found 'nan'"
    row = ReportedResult.objects.get(source="resnext101_32x8d-8ba56ff5.pth")
    assert [(figure.metric, figure.text, figure.value, figure.step) for figure in row.figures.all()] == [
        ("Top 1 Accuracy", "0.79312", 0.79312, 1e-5),
        ("Top 5 Accuracy", "0.94526", 0.94526, 1e-5),
    ]


def test_importing_twice_changes_nothing():
    import_files(shipped_files())
    before = list(ReportedResult.objects.values()), list(ReportedFigure.objects.values()), list(Paper.objects.values())
    report = import_files(shipped_files())
    assert (report.added, report.changed, report.unchanged) == (0, 0, 77 + 2104)
    assert before == (
        list(ReportedResult.objects.values()), list(ReportedFigure.objects.values()), list(Paper.objects.values())
    )  # fmt: skip


def test_corrected_row_replaces_the_old_figures(write):
    line = "Net,1611.05431,A Title,2016,{},0.95,84,no\n"
    import_files([write("a.csv", PAPER_HEADER + line.format("0.80"))])
    report = import_files([write("a.csv", PAPER_HEADER + line.format("0.809"))])
    assert (report.added, report.changed) == (0, 1)
    assert ReportedResult.objects.get().figures.get(metric="Top 1 Accuracy").text == "0.809"


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("Net,1611.05431,A Title,2016,80%,1.2e9,84,no", "expected Top 5 Accuracy to be from 0 to 1, or to 100 %"),
        ("Net,1611.05431,A Title,2016,,,84,no", "expected at least one figure, found none"),
        ("Net,1611.05431,A Title,2016,0.8,,84,maybe", "expected extra_training_data to be yes, no or empty"),
        ("Net,16110,A Title,2016,0.8,,84,no", "expected an arXiv id such as 1611.05431, found '16110'"),
        (",1611.05431,A Title,2016,0.8,,84,no", "expected the model's name to be 1 to 300 printable"),
        ("Net\u202e,1611.05431,A Title,2016,0.8,,84,no", "expected the model's name to be 1 to 300 printable"),
        ("Net,1611.05431,A, Title,2016,0.8,,84,no", "is a comma not quoted?"),
        ("Net,1611.05431,A Title,year,0.8,,84,no", "invalid literal"),
    ],
)
def test_bad_row_is_named_and_the_rest_goes_in(write, line, reason):
    good = "Good,1611.05431,A Title,2016,0.8,,84,no\n"
    report = import_files([write("table.csv", PAPER_HEADER + line + "\n" + good)])
    assert [row.model_name for row in ReportedResult.objects.all()] == ["Good"]
    (bad,) = report.bad
    assert (bad.file, bad.place) == ("table.csv", "line 2")
    assert reason in bad.reason


def test_model_given_twice_by_one_source_is_a_bad_row(write):
    line = "Net,1611.05431,A Title,2016,0.8,,84,no\n"
    report = import_files([write("table.csv", PAPER_HEADER + line + line)])
    assert str(report.bad[0]) == "table.csv, line 3: expected a model once for each source, found it at line 2 already"


def test_file_of_another_kind_or_missing_is_named(tmp_path, write):
    report = import_files([tmp_path / "gone.csv", write("a.txt", ""), write("b.csv", "a,b\n1,2\n")])
    assert [(bad.file, bad.place) for bad in report.bad] == [
        ("gone.csv", "the file"), ("a.txt", "the file"), ("b.csv", "line 1"),
    ]  # fmt: skip


def test_paper_without_id_and_the_same_with_one_are_one_paper():
    import_files(shipped_files())
    papers = Paper.objects.filter(title="Aggregated Residual Transformations for Deep Neural Networks")
    (paper,) = papers
    assert paper.arxiv_id == "1611.05431"
    assert paper.reported.filter(catalogue="mmpretrain").exists()
    assert paper.reported.filter(catalogue="paper").get().model_name == "ResNeXt-101 64x4"


def test_two_papers_of_one_title_stay_two(write):
    lines = "Net,1611.05431,A Title,2016,0.8,,,no\nNet,1712.00559,A Title,2017,0.9,,,no\n"
    import_files([write("table.csv", PAPER_HEADER + lines)])
    assert sorted(Paper.objects.values_list("slug", flat=True)) == ["a-title", "a-title-1712-00559"]


TABLES = [
    {
        "task": "Image Classification",
        "description": "",
        "categories": [],
        "datasets": [
            {
                "dataset": "ImageNet",
                "sota": {
                    "metrics": ["Top 1 Accuracy", "Top 5 Accuracy", "Number of params"],
                    "rows": [
                        {
                            "model_name": "ResNeXt-101 64x4",
                            "paper_title": "Aggregated Residual Transformations for Deep Neural Networks",
                            "paper_url": "https://arxiv.org/abs/1611.05431v2",
                            "paper_date": "2016-11-16",
                            "code_links": [],
                            "model_links": [],
                            "uses_additional_data": False,
                            "metrics": {
                                "Number of params": "83.6M",
                                "Top 1 Accuracy": "80.9%",
                                "Top 5 Accuracy": "95.6",
                            },
                        },
                        {"model_name": "No figures", "metrics": {}},
                        {
                            "model_name": "U-GAT-IT",
                            "paper_title": "U-GAT-IT: Unsupervised Generative Attentional Networks",
                            "paper_url": "https://paperswithcode.com/paper/u-gat-it-unsupervised-generative-attentional",
                            "paper_date": None,
                            "metrics": {"Top 1 Accuracy": "70%", "Top 5 Accuracy": "-"},
                        },
                    ],
                },
                "subdatasets": [
                    {"subdataset": "ReaL", "sota": {"rows": [{"model_name": "Net", "metrics": {"Accuracy": "90%"}}]}}
                ],
            }
        ],
        "subtasks": [
            {
                "task": "Language Modelling",
                "datasets": [
                    {
                        "dataset": "WikiText-103",
                        "sota": {"rows": [{"model_name": "LM", "metrics": {"Test perplexity": "17.1"}}]},
                    }
                ],
            }
        ],
    }
]


@pytest.mark.parametrize("gzipped", [False, True])
def test_papers_with_code_dump_comes_in_with_subtasks_and_parts(tmp_path, gzipped):
    content = json.dumps(TABLES).encode()
    path = tmp_path / ("evaluation-tables.json.gz" if gzipped else "evaluation-tables.json")
    path.write_bytes(gzip.compress(content) if gzipped else content)
    report = import_files([path])
    assert report.added == 4
    assert [bad.place for bad in report.bad] == ["Image Classification on ImageNet, row 1"]
    row = ReportedResult.objects.get(model_name="ResNeXt-101 64x4")
    assert (row.paper.arxiv_id, row.paper.published_on.year, row.parameters) == ("1611.05431", 2016, 83_600_000)
    assert [(f.metric, f.text, f.value, f.step) for f in row.figures.all()] == [
        ("Top 1 Accuracy", "80.9%", 0.809, 0.001),
        ("Top 5 Accuracy", "95.6", 0.956, 0.001),
    ]
    assert Paper.objects.get(title__startswith="U-GAT").pwc_id == "u-gat-it-unsupervised-generative-attentional"
    assert ReportedResult.objects.get(model_name="LM").rank_value == -17.1
    assert ReportedResult.objects.get(model_name="Net").benchmark == "image-classification-on-imagenet-real"


@pytest.mark.parametrize("content", [b"[", b"[" * 100_000, b'"text"', b'[{"task": 3}]', b"[[]]", b"\xff"])
def test_dump_that_is_none_is_named(tmp_path, content):
    path = tmp_path / "evaluation-tables.json"
    path.write_bytes(content)
    report = import_files([path])
    assert report.added == 0
    assert len(report.bad) == 1


CARD = """---
license: apache-2.0
model-index:
- name: org/resnext
  results:
  - task:
      type: image-classification
      name: Image Classification
    dataset:
      type: imagenet-1k
      name: ImageNet-1k
    metrics:
    - type: accuracy
      value: 79.3
    - type: accuracy
      name: Top 5 Accuracy
      value: 0.945
  - task:
      type: image-classification
    dataset:
      name: Beans
      type: beans
    metrics:
    - type: f1
      value: many
---
# The model
"""


def test_model_card_comes_in_as_its_authors_word(write):
    report = import_files([write("README.md", CARD)])
    row = ReportedResult.objects.get()
    assert (row.reporter, row.catalogue, row.benchmark) == (
        "catalogue", "model-index", "image-classification-on-imagenet",
    )  # fmt: skip
    assert [(f.metric, f.value, f.step) for f in row.figures.all()] == [
        ("Top 1 Accuracy", 0.793, 0.001),
        ("Top 5 Accuracy", 0.945, 0.001),
    ]
    assert [bad.place for bad in report.bad] == ["model-index[0].results[1]"]


@pytest.mark.parametrize(
    "text",
    [
        "model-index: &a [*a]",
        "model-index: !!python/object/apply:os.system ['true']",
        "other: 1",
        "model-index: [1]",
        "[" * 5000,
    ],
)
def test_hostile_yaml_is_one_bad_row(write, text):
    report = import_files([write("card.yaml", text)])
    assert report.added == 0
    assert len(report.bad) == 1


def test_dump_names_old_papers_of_arxiv(write):
    old = json.loads(json.dumps(TABLES))
    old[0]["datasets"][0]["sota"]["rows"][0] |= {
        "paper_url": "https://arxiv.org/abs/cs/0112017v1", "paper_title": "An Old Paper", "paper_date": "2001-12-17",
    }  # fmt: skip
    import_files([write("old.json", json.dumps(old))])
    assert Paper.objects.get(title="An Old Paper").arxiv_id == "cs/0112017"


def test_longest_id_fits_and_a_longer_one_is_named(write):
    lines = "Net,astro-ph.GA/0309136,A Title,2003,0.8,,,no\nNet,{}/0309136,Another,2003,0.8,,,no\n"
    report = import_files([write("table.csv", PAPER_HEADER + lines.format("a" * 20))])
    assert Paper.objects.get().arxiv_id == "astro-ph/0309136"
    assert [bad.reason[:20] for bad in report.bad] == ["expected an arXiv id"]
