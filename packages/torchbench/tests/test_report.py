import io
import sys

import numpy as np
import pytest

from torchbench.report import RunningAccuracy, samples_in_words, say
from torchbench.result import BenchmarkResult

BEST = np.zeros((2, 5), dtype=np.int16)


@pytest.mark.parametrize(("encoding", "shown"), [("ascii", b"32\\xd748d\n"), ("utf-8", "32×48d\n".encode())])  # noqa: RUF001 - a model's name
def test_what_the_terminal_cannot_show_appears_as_an_escape(monkeypatch, encoding, shown):
    screen = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(screen, encoding=encoding, newline=""))
    say("32×48d")  # noqa: RUF001 - a model's name
    sys.stdout.flush()
    assert screen.getvalue() == shown


def test_half_characters_of_a_file_name_can_be_shown(capsys):
    say("a\udce4.JPEG")
    assert capsys.readouterr().out == "a\\udce4.JPEG\n"


def test_a_service_without_output_streams_can_evaluate(monkeypatch):
    monkeypatch.setattr(sys, "stdout", None)
    monkeypatch.setattr(sys, "stderr", None)
    say("nobody reads this")
    with RunningAccuracy(2, np.array([0, 1])) as progress:
        progress.advance(2, BEST)


@pytest.mark.parametrize(
    ("samples", "complete", "foreign", "words"),
    [
        (50_000, True, False, "all 50,000 images"),
        (51, False, True, "51 images, NOT the test split of 50,000"),
        (50_000, False, True, "50,000 images, NOT the test split of 50,000"),
        (51, False, False, "a SUBSET of 51 of 50,000 images, not comparable with published figures"),
    ],
)
def test_what_the_figures_stand_on_is_said(samples, complete, foreign, words):
    facts = {"samples": samples, "size": 50_000, "complete": complete, "foreign": foreign}
    assert samples_in_words(BenchmarkResult({"dataset": facts})) == words
