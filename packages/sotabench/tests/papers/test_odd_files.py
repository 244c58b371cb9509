"""Published tables as they come from the internet: a bad row is named, the rest goes in, nothing breaks."""

import gzip
import json

import pytest

from sotabench.server.papers.formats import papers_with_code
from sotabench.server.papers.importing import import_files
from sotabench.server.papers.models import Paper, ReportedResult

pytestmark = pytest.mark.django_db
HEADER = "model_name,arxiv_id,paper_title,year,top1,top5,params_m,extra_training_data\n"
GOOD = "Net,1611.05431,A title,2016,0.7,,1.5,no\n"


@pytest.fixture
def table(tmp_path):
    def written(*lines):
        (tmp_path / "table.csv").write_text(HEADER + "".join(lines))
        return import_files([tmp_path / "table.csv"])

    return written


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("Other,1611.05432,B,99999,0.7,,,\n", "year"),
        ("Other,1611.05432,B,-3,0.7,,,\n", "year"),
        ("Other,1611.05432,B,2016,0.7,,1e30,\n", "parameters"),
        ("Other,1611.05432,B,2016,0.7,,-1,\n", "parameters"),
        ("Other,1611.05432,B,2016,0.7,,nan,\n", "params"),
        ("Other,1611.05432,B,2016,0.7,,inf,\n", "params"),
    ],
)
def test_number_that_no_column_holds_is_a_bad_row(table, line, said):
    report = table(GOOD, line)
    assert report.added == 1
    (bad,) = report.bad
    assert said in bad.reason


def test_quote_that_never_ends_is_a_bad_row_and_what_stands_before_goes_in(table):
    report = table(GOOD, 'Other,"1611.05432"x,B,2016,0.7,,,\n')
    assert (report.added, len(report.bad)) == (1, 1)
    assert ReportedResult.objects.get().model_name == "Net"


def test_number_of_operations_that_is_none_is_a_bad_row(tmp_path):
    rows = [{"model_name": "a", "metrics": {"Top 1 Accuracy": "70", "GFLOPs": "nan"}, "paper_title": "T"}]
    rows.append(
        {"model_name": "b", "metrics": {"Top 1 Accuracy": "70", "Number of params": "9" * 30}, "paper_title": "T"}
    )
    task = {
        "task": "Image Classification",
        "datasets": [{"dataset": "ImageNet", "sota": {"metrics": [], "rows": rows}}],
    }
    (tmp_path / "tables.json").write_text(json.dumps([task]))
    report = import_files([tmp_path / "tables.json"])
    assert (report.added, len(report.bad)) == (0, 2)
    assert not Paper.objects.exists()


def test_file_that_is_gzipped_twice_or_cut_is_a_bad_file(tmp_path):
    (tmp_path / "tables.json.gz").write_bytes(b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03cut off \xff\xff\xff")
    report = import_files([tmp_path / "tables.json.gz"])
    assert len(report.bad) == 1


def test_file_that_is_larger_unpacked_than_any_dump_is_a_bad_file(tmp_path, monkeypatch):
    monkeypatch.setattr(papers_with_code, "MOST_BYTES", 1000)
    (tmp_path / "tables.json.gz").write_bytes(gzip.compress(b"[" + b" " * 999 + b"]"))
    (tmp_path / "tables.json").write_bytes(b"[" + b" " * 999 + b"]")
    report = import_files([tmp_path / "tables.json.gz", tmp_path / "tables.json"])
    assert ["more than 1000" in bad.reason for bad in report.bad] == [True, True]


@pytest.mark.parametrize("value", ['!!int ""', '!!float ""', "!!bool x", "!!timestamp x", '!!int "-"', "!!int x"])
def test_value_that_is_not_what_its_tag_says_is_a_bad_file(tmp_path, value):
    card = "model-index:\n- name: a\n  results:\n  - task: {type: t}\n    dataset: {name: d}\n"
    (tmp_path / "card.yaml").write_text(f"{card}    metrics: [{{type: accuracy, value: {value}}}]\n")
    (bad,) = import_files([tmp_path / "card.yaml"]).bad
    assert bad.reason.startswith("expected YAML with model-index")


@pytest.mark.parametrize("at_once", [True, False])
def test_papers_of_one_title_find_an_address_that_no_other_title_has(table, at_once):
    lines = ["A,1234.56789,Foo,2016,0.7,,,\n", "B,,Foo 2222 33333,2016,0.7,,,\n", "C,2222.33333,Foo,2016,0.7,,,\n"]
    for some in [lines] if at_once else [[line] for line in lines]:
        assert not table(*some).bad
    addresses = set(Paper.objects.values_list("slug", flat=True))
    assert {"foo", "foo-2222-33333"} < addresses
    assert len(addresses) == 3
    assert table(*lines).unchanged == 3


def test_digits_of_another_script_are_no_arxiv_id(table):
    (bad,) = table("A,\u0661\u0662\u0663\u0664.\u0665\u0666\u0667\u0668\u0669,Foo,2016,0.7,,,\n").bad
    assert "arXiv id" in bad.reason
