"""Published tables as they come from the internet: a bad row is named, the rest goes in, nothing breaks."""

import json

import pytest

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
