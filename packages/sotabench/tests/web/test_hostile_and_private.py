"""A stranger's words are inert, what is private is nowhere, and every page costs a fixed number of queries."""

import pytest

from sotabench.server.papers.models import Paper, ReportedFigure, ReportedResult

EVIL = "<script>alert(1)</script>\"'><img src=x onerror=alert(1)>\u202egnp.exe {{ 7 }}"
BOARD = "/benchmarks/image-classification-on-imagenet"


@pytest.fixture
def evil(submit, record, benchmarks):
    """A result, a paper and a published row in which every free text is an attack."""
    paper = Paper.objects.create(title=EVIL, slug="evil", arxiv_id="2001.00001")
    row = ReportedResult.objects.create(
        reporter="catalogue", catalogue="x<b>", source="javascript:alert(1)", paper=paper, task="Image Classification",
        dataset="ImageNet", benchmark="image-classification-on-imagenet", model_name=EVIL, model_key="k",
        architecture_key="k", parameters=7, rank_value=0.5,
    )  # fmt: skip
    ReportedFigure.objects.create(result=row, metric="Top 1 Accuracy", text=EVIL[:40], value=0.5, step=0.1)
    facts = {EVIL: EVIL, "list": [EVIL], "deep": {EVIL: {EVIL: {EVIL: {EVIL: EVIL}}}}}
    hostile = record(
        model=EVIL,
        arxiv_id="2001.00001",
        model_description=EVIL,
        dataset=record()["dataset"] | facts,
        transform={"text": f"{EVIL}\n{EVIL}"},
        environment={"processor": EVIL, "device": EVIL},
        weights=[{"url": "javascript:alert(1)"}],
    )
    return submit(hostile, branch=EVIL)[0]


def test_strangers_words_are_inert_on_every_page(page, evil, addresses):
    for address in addresses(evil).values():
        html = page(address)
        assert "<script" not in html, address
        assert "<img" not in html, address
        assert 'href="javascript' not in html.lower(), address
        assert "\u202e" not in html, address


def test_what_is_searched_for_is_inert(page, evil, addresses):
    for name in ("leaderboard", "published", "benchmarks"):
        address = addresses(evil)[name]
        mark = "&" if "?" in address else "?"
        html = page(
            f"{address}{mark}q=%22%3E%3Cscript%3E&condition=%22%3E%3Cscript%3E&x=%3Cscript%3E&tier=%3Cscript%3E"
        )
        assert "<script" not in html


def test_no_page_needs_an_inline_script_or_style(client, resnext, addresses):
    for address in [*addresses(resnext).values(), "/accounts/login/", "/accounts/signup/", "/nothing"]:
        answer = client.get(address)
        html = answer.content.decode()
        assert not [bad for bad in ("<script", "<style", "style=", "onclick=") if bad in html], address
        assert "script-src 'self'" in answer["Content-Security-Policy"]


@pytest.fixture
def hidden(submit, record, secret, resnexts):
    """A better result than any other, in a private repository."""
    return submit(
        record(model="Hidden net", results={"Top 1 Accuracy": 0.99, "Top 5 Accuracy": 1.0}), repository=secret
    )[0]


@pytest.fixture
def shown(submit, record, hidden):
    """A result that everybody may see."""
    return submit(record(model="Shown net"))[0]


@pytest.fixture(params=["signed out", "bob"])
def other(request, client, bob):
    """A visitor who owns nothing here."""
    if request.param == "bob":
        client.force_login(bob)
    return client


def test_private_repository_is_nowhere_for_others(other, hidden, shown, addresses):
    for address in addresses(shown).values():
        html = other.get(address).content.decode()
        assert "Hidden net" not in html, address
        assert "ada/secret" not in html, address
    for name in ("repository", "build", "result"):
        assert other.get(addresses(hidden)[name]).status_code == 404
    assert other.get(f"/results/{hidden.pk}/record.json").status_code == 404


def test_private_result_changes_no_count_and_no_rank(page, hidden, shown):
    assert "1 result, " in page("/")
    html = page(BOARD)
    assert '<p class="count">1 result</p>' in html
    assert '<td class="number">1</td>' in html


def test_private_result_has_no_rank_even_for_its_owner(client, hidden, shown, ada):
    client.force_login(ada)
    html = client.get(BOARD).content.decode()
    assert html.count('<td class="number">1</td>') == 1


def test_owner_sees_what_is_private_and_that_it_is(client, hidden, ada, addresses):
    client.force_login(ada)
    found = addresses(hidden)
    for name in ("leaderboard", "repository", "build", "result", "front", "paper"):
        html = client.get(found[name]).content.decode()
        assert "Hidden net" in html, name
    assert "private" in client.get(found["leaderboard"]).content.decode()


@pytest.mark.usefixtures("benchmarks")
def test_part_of_a_set_that_only_a_private_repository_has_used_is_nobody_elses_to_see(
    client, submit, record, vision, ada, owner_of_site
):
    vision.is_public = False
    vision.save()
    facts = {"version": "ILSVRC2012 validation", "samples": 20, "size": 50_000, "fingerprint": "b" * 64}
    (result,) = submit(record(samples=20, dataset=facts))
    slug = result.benchmark.slug
    addresses = (f"/benchmarks/{slug}", f"/api/v1/benchmarks/{slug}", f"/api/v0/benchmarks/{slug}/")
    assert [client.get(address).status_code for address in addresses] == [404, 404, 404]
    for user in (ada, owner_of_site):
        client.force_login(user)
        assert client.get(addresses[0]).status_code == 200
    vision.is_public = True
    vision.save()
    client.logout()
    assert [client.get(address).status_code for address in addresses] == [200, 200, 200]
