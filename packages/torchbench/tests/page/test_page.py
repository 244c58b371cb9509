import base64
import io
import json
import re
import subprocess
import sys
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pytest
from PIL import Image

from benchrecord import expected_calibration_error, negative_log_likelihood, per_class_accuracy, reliability, selected
from torchbench.__main__ import main
from torchbench.page.counted import counted
from torchbench.page.facts import facts_of, web_link
from torchbench.page.plots import _round_counts, class_plot, confidence_plot, reliability_plot, x_at, y_at
from torchbench.page.write import page_of
from torchbench.reading.known import known_answers
from torchbench.reading.stored import read_stored

pytestmark = pytest.mark.usefixtures("environment")
HOSTILE = "<script>alert(1)</script>\"'&\u202e\x1b[2J<img src=x onerror=y>{{ 7*7 }}"
VOID = {"meta", "img", "br"}


class Page(HTMLParser):
    """What a browser would find: tags with their attributes, the text, and whether every tag is closed."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.text, self.open = [], "", []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text += data

    def attributes(self, *names):
        return [attrs[name] for _, attrs in self.tags for name in names if name in attrs]


def assert_harmless(text):
    page = Page(text)
    assert page.open == []
    assert not {tag for tag, _ in page.tags} & {"script", "iframe", "object", "embed", "link", "form", "base"}
    assert not [name for _, attrs in page.tags for name in attrs if name.startswith("on")]
    assert all(source.startswith("data:image/jpeg;base64,") for source in page.attributes("src"))
    assert all(re.match("https?://", link) for link in page.attributes("href"))
    style = text.partition("<style>")[2].partition("</style>")[0]
    assert "url(" not in style
    assert "@import" not in style
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f\u200e\u200f\u202a-\u202e\u2066-\u2069]", text)
    return page


@pytest.fixture
def stored(store_model, official):
    ids, _, outputs = official(300, right=0.6)
    return read_stored(str(store_model(ids, outputs, "Good", keep=True, paper_results={"Top 1 Accuracy": 0.5})))


def test_numbers_of_the_page_are_benchrecords(stored):
    known = known_answers("ImageNet", stored.predictions, None)
    found, page = counted(stored, known), Page(page_of(stored, None))
    error = expected_calibration_error(stored.predictions, known.labels)
    likelihood = negative_log_likelihood(stored.predictions, known.labels, outputs=stored.outputs())
    right = sum(per_class_accuracy(stored.predictions, known.labels).right)
    assert (found.calibration_error, found.likelihood) == (error, likelihood)
    assert (found.rows[0].value, found.rows[0].difference) == (right / 300, right / 300 - 0.5)
    for number in (f"{right / 3:.3f} %", f"{100 * error:.2f} %", f"{likelihood:.4f}", f"{right / 3 - 50:+.3f}"):
        assert number in page.text
    assert "300 of 50,000 images: a subset, not comparable with published figures" in page.text
    assert page.text.index("300 of 50,000") < page.text.index("Results")


def test_images_that_a_benchmark_does_not_score_are_counted_nowhere(stored):
    known = known_answers("ImageNet", stored.predictions, None)
    fewer = replace(
        known, labels=dict(list(known.labels.items())[:100]), uncounted=frozenset(stored.predictions.ids[100:])
    )
    right = sum(per_class_accuracy(selected(stored.predictions, fewer.labels), fewer.labels).right)
    found = counted(stored, fewer)
    assert found.rows[0].value == right / 100
    assert {mistake.image for mistake in found.mistakes} <= set(fewer.labels)


def test_the_reliability_diagram_shows_the_bins(stored):
    bins = reliability(stored.predictions, known_answers("ImageNet", stored.predictions, None).labels)
    filled = [each for each in bins if each.samples]
    plot = reliability_plot(bins)
    for bar, each in zip(plot.bars, filled, strict=True):
        assert bar.y == y_at(each.accuracy)
        assert bar.y + bar.height == pytest.approx(y_at(0), abs=0.02)
        assert x_at(each.low) <= bar.x < bar.x + bar.width <= x_at(each.high)
    histogram = confidence_plot(bins)
    most = max(each.samples for each in bins)
    drawn = {kind: sum(bar.height for bar in histogram.bars if bar.kind == kind) for kind in ("right", "wrong")}
    scale = (y_at(0) - y_at(1)) / most
    assert drawn["right"] == pytest.approx(scale * sum(each.right for each in bins), abs=0.2)
    assert drawn["wrong"] == pytest.approx(scale * sum(each.samples - each.right for each in bins), abs=0.2)


def test_the_class_plot_goes_from_the_worst_to_the_best(stored):
    classes = per_class_accuracy(stored.predictions, known_answers("ImageNet", stored.predictions, None).labels)
    ((points, _),) = class_plot(classes).lines
    heights = [float(point.partition(",")[2]) for point in points.split()][::2]
    expected = sorted(right / total for right, total in zip(classes.right, classes.total, strict=True) if total)
    assert heights == [y_at(share) for share in expected]


@pytest.mark.parametrize(
    ("most", "counts"),
    [
        (1, [0, 1]),
        (5, [0, 1, 2, 3, 4, 5]),
        (6, [0, 2, 4, 6]),
        (28, [0, 5, 10, 15, 20, 25]),
        (1000, range(0, 1001, 200)),
    ],
)
def test_counts_on_an_axis_are_round_and_few(most, counts):
    assert _round_counts(most) == list(counts)


def test_a_strangers_text_is_inert_wherever_it_stands(store_model, official):
    ids, _, outputs = official(20)
    ids[0] += "_n01751748"
    facts = {HOSTILE: HOSTILE, "deep": {HOSTILE: [HOSTILE]}, "url": "javascript:alert(1)", "n": 1e300, "none": None}
    path = store_model(
        ids, outputs, HOSTILE, model_description=HOSTILE, arxiv_id=HOSTILE, paper_results={"Top 1 Accuracy": 0.5},
        results={"x<script>": 0.5}, intervals={"x<script>": [0, 1]},
        weights=[{"url": "https://e.org/w?a=1&b=<"}, facts], speed=facts, model_facts=facts, transform=HOSTILE,
        dataset=facts, environment=facts, declared=facts,
    )  # fmt: skip
    page = assert_harmless(page_of(read_stored(str(path)), None))
    assert "<script>alert(1)</script>" in page.text
    assert "\\u202e" in page.text
    assert "{{ 7*7 }}" in page.text
    assert page.attributes("href") == ["https://e.org/w?a=1&b=<"]


def test_ids_of_images_are_inert(few_images, store_model):
    for place, path in enumerate(sorted(few_images.glob("val/*/*"))):
        path.rename(path.with_name(f"<b onclick=x>{place}.JPEG"))
    ids = [f"<b onclick=x>{place}" for place in range(15)]
    path = store_model(ids, np.random.default_rng(0).normal(size=(15, 1000)))
    page = assert_harmless(page_of(read_stored(str(path)), few_images))
    assert "<b onclick=x>3" in page.text


def test_mistakes_are_pictures_where_the_data_are_at_hand(few_images, store_model):
    outputs = np.zeros((15, 1000))
    outputs[:, 1] = np.arange(15) + 1.0  # class 1 is right for images 3, 4 and 5
    path = store_model([f"photograph_{number:08d}" for number in range(1, 16)], outputs)
    page = assert_harmless(page_of(read_stored(str(path)), few_images))
    pictures = page.attributes("src")
    assert len(pictures) == 12, "all wrong answers"
    with Image.open(io.BytesIO(base64.b64decode(pictures[0].partition(",")[2]))) as image:
        assert (image.format, image.size) == ("JPEG", (48, 40))
    assert page.attributes("alt")[:2] == ["photograph_00000015", "photograph_00000014"]
    assert "15 of 50,000 images" in page.text
    assert str(few_images) not in page.text


def test_pictures_are_few_and_small(few_images, store_model):
    noise = io.BytesIO()
    Image.effect_noise((1200, 900), 60).convert("RGB").save(noise, "JPEG")
    for path in few_images.glob("val/*/*"):
        path.write_bytes(noise.getvalue())
    outputs = np.zeros((15, 1000))
    outputs[:, 999] = 1
    path = store_model([f"photograph_{number:08d}" for number in range(1, 16)], outputs)
    text = page_of(read_stored(str(path)), few_images)
    assert text.count("<img ") == 12
    assert len(text) < 500_000 < 12 * len(noise.getvalue())


def test_without_labels_the_page_says_what_the_record_declares_and_why_no_more(store_model):
    path = store_model(["a", "b"], np.eye(2, 1000), results={"Top 1 Accuracy": 0.75})
    page = assert_harmless(page_of(read_stored(str(path)), None))
    assert "75.000 %" in page.text
    assert "not counted again: give --data-root" in page.text


def test_without_predictions_the_page_says_so(store_model):
    path = store_model(["a"], np.eye(1, 1000), results={"Top 1 Accuracy": 0.75})
    records = json.loads(path.read_text())
    del records[0]["predictions"]
    path.write_text(json.dumps(records))
    assert "not counted again: the record names no predictions" in page_of(read_stored(str(path)), None)


def test_results_that_the_predictions_do_not_give_are_said_to_differ(store_model, official):
    ids, labels, outputs = official(20)
    right = (outputs.argmax(axis=1) == labels).mean()
    for claimed, said in ((right, False), (right + 0.05, True)):
        path = store_model(ids, outputs, f"{claimed}", results={"Top 1 Accuracy": claimed})
        text = page_of(read_stored(f"{path}:{claimed}"), None)
        assert ("declares other results than its predictions give" in text) is said


def test_outputs_that_are_not_finite_leave_out_what_cannot_be_known(store_model, official):
    ids, _, outputs = official(20)
    outputs[3, 5] = np.nan
    page = assert_harmless(page_of(read_stored(str(store_model(ids, outputs))), None))
    assert "1 image gave NaN" in page.text
    assert "calibration" not in page.text


def test_a_model_without_mistakes_has_a_page(store_model, official):
    ids, _, outputs = official(20, right=1)
    page = assert_harmless(page_of(read_stored(str(store_model(ids, outputs))), None))
    assert "100.000 %" in page.text
    assert "Worst mistakes" not in page.text


@pytest.mark.parametrize(
    ("text", "link"),
    [("https://e.org/a", True), ("http://e.org", True), ("javascript:alert(1)", False), ("data:text/html,x", False),
     ("https://", False), ("https://good@evil.org", False), ("HTTPS://e.org\n", False), ("//e.org", False),
     ("http://[", False), ("file:///etc/passwd", False), (" https://e.org", False)],
)  # fmt: skip
def test_only_addresses_of_web_pages_are_links(text, link):
    assert web_link(text) == (text if link else None)


def test_facts_are_bounded():
    many = {str(number): {"text": "x\n" * 1000} for number in range(1000)}
    rows = facts_of(many)
    assert len(rows) == 61
    assert max(len(row.lines) for row in rows) == 40
    assert facts_of(None) == facts_of(3) == facts_of("") == []


def test_the_page_is_written_all_at_once_or_not_at_all(stored, tmp_path, capsys):
    assert main(["report", str(stored.path), "-o", str(tmp_path / "page.html")]) == 0
    assert capsys.readouterr().out.startswith(f"report: {tmp_path / 'page.html'} (")
    assert_harmless((tmp_path / "page.html").read_text(encoding="utf-8"))
    assert main(["report", str(stored.path), "-o", str(tmp_path / "nowhere" / "page.html")]) == 1
    assert "No such file or directory; give another --output" in capsys.readouterr().err
    assert not [path for path in tmp_path.iterdir() if path.name.endswith(".tmp")]


def test_the_command_runs_as_a_process_of_its_own(stored, tmp_path):
    words = [sys.executable, "-m", "torchbench", "report", f"{stored.path}:2", "-o", str(tmp_path / "page.html")]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (1, "")
    assert "holds 1 records; expected one that '2' means" in done.stderr
    assert "Traceback" not in done.stderr
