"""A build's record is text of a stranger: what the site shows of it is inert, on every page and in the API."""

import json

import pytest

from sotabench.server.benchmarks.scoring import score_call
from sotabench.server.errors import Invalid

pytestmark = pytest.mark.django_db

EVIL = "<script>alert(1)</script>\"'><img src=x onerror=alert(1)>\u202egnp.exe\x1b[31m\x07 {{ 7 }} {% now %}"


@pytest.fixture
def evil(a_build, answers, copy):
    """A verified result in which every free text is an attack."""
    record, path = answers(
        20,
        model=EVIL,
        model_description=EVIL,
        arxiv_id="javascript:alert(1)",
        pwc_id=EVIL[:100],
        pytorch_hub_id="javascript:alert(1)",
        run_hash=EVIL[:100],
        transform={"text": f"{EVIL}\n{EVIL}", EVIL[:90]: [EVIL]},
        weights=[{"url": "javascript:alert(1)", "sha256": EVIL}, EVIL, {"url": "data:text/html,<script>"}],
        declared={"licences": [EVIL], "code": "JavaScript:alert(1)"},
        environment={"processor": EVIL, "device": EVIL, "git": {"remote": "javascript:alert(1)"}},
        speed={"samples_per_second": 5.0, "batch_size": EVIL},
        model_facts={"parameters": 7, "dtype": EVIL, "macs_note": EVIL},
    )
    return score_call(a_build(branch=EVIL), record, path)


def shown_at(result):
    benchmark = f"/benchmarks/{result.benchmark.slug}"
    return [
        "/",
        benchmark,
        f"{benchmark}/plot",
        f"{benchmark}?q=script",
        "/user/ada",
        "/user/ada/repos/pytorch/vision",
        f"/builds/pytorch/vision/{result.build.number}",
        f"/results/{result.pk}",
    ]


def test_html_urls_terminal_codes_and_turned_text_on_every_page(client, evil):
    for address in shown_at(evil):
        answer = client.get(address, follow=True)
        assert answer.status_code in {200, 404}, address
        html = answer.content.decode()
        for bad in ("<script>alert", "<img src=x", "\u202e", "\x1b", "\x07", 'href="javascript', 'href="data:'):
            assert bad.lower() not in html.lower(), (address, bad)
    print("stopped by Django's escaping, by printable(), and by links for http and https alone")
    assert "alert(1)" in client.get(f"/results/{evil.pk}").content.decode()  # it is shown, as text


def test_record_is_a_file_to_keep_and_no_page(client, evil):
    answer = client.get(f"/results/{evil.pk}/record.json")
    print(f"stopped by {answer['Content-Type']} and {answer['X-Content-Type-Options']}")
    assert answer["Content-Type"] == "application/json"
    assert answer["X-Content-Type-Options"] == "nosniff"
    assert "attachment" in answer["Content-Disposition"]
    assert json.loads(answer.content)["results"]["Top 1 Accuracy"] == 0.5


def test_names_are_printable_where_others_print_them(evil):
    assert evil.model_name.isprintable()
    assert all(figure.condition.isprintable() for figure in evil.figures.all())


def test_messages_about_hostile_text_are_printable(a_build, answers, copy):
    for changes in (
        {"dataset_name": "ImageNet <b>"},
        {"environment": {"git": {"commit": EVIL}}},
        {"dataset": {"fingerprint": EVIL}},
        {"paper_results": {"Prestige <b>": 1.0}},
        {"predictions": {"name": EVIL, "size": 1, "sha256": "0" * 64}},
    ):
        with pytest.raises(Invalid) as caught:
            score_call(a_build(), *answers(**changes))
        print(f"stopped: {caught.value}")
        assert str(caught.value).isprintable()


@pytest.mark.parametrize("name", ["a" * 300, "\u202e" * 300, "\U000e0041" * 300, " ", "", None])
def test_names_of_any_length_and_kind_fit(a_build, answers, copy, name):
    result = score_call(a_build(), *answers(model=name))
    assert 0 < len(result.model_name) <= 300
    assert result.model_name.isprintable()


def test_numbers_out_of_all_bounds_are_declared_or_dropped(a_build, answers, copy, client):
    result = score_call(
        a_build(),
        *answers(
            model_facts={"parameters": 2**63 - 1, "macs": -5},
            speed={"samples_per_second": 1e308, "batch_size": -1, "memory": {"process_bytes": "x"}},
        ),
    )
    assert client.get(f"/results/{result.pk}").status_code == 200
    assert {figure.name for figure in result.figures.all()} >= {"Top 1 Accuracy", "Parameters"}
    assert "MACs" not in {figure.name for figure in result.figures.all()}
