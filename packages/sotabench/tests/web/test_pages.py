"""What the pages say."""

import json
import re

import pytest
from django.urls import reverse

from sotabench.server.papers.models import ReportedResult

BOARD = "/benchmarks/image-classification-on-imagenet"


def names_in_order(html):
    return re.findall(r'<th scope="row"><a href="/results/\d+"><bdi>([^<]+)<', html)


@pytest.fixture
def three(submit, record):
    """Three models: one wins, one is small, one is fast and declares extra data."""
    return submit(
        record(model="Best", results={"Top 1 Accuracy": 0.8, "Top 5 Accuracy": 0.9}),
        record(model="Small", results={"Top 1 Accuracy": 0.6, "Top 5 Accuracy": 0.95}, model_facts={"parameters": 10}),
        record(
            model="Fast",
            results={"Top 1 Accuracy": 0.7, "Top 5 Accuracy": 0.8},
            declared={"extra_training_data": True},
            speed={"samples_per_second": 999.0, "batch_size": 1},
        ),
    )


@pytest.fixture
def board(benchmarks, three, page):
    """Names on the leaderboard, in order, for a query."""
    return lambda query="": names_in_order(page(f"{BOARD}{query}"))


def test_front_page_says_what_this_is_and_shows_benchmarks_and_newest_results(page, resnext):
    html = page("/")
    assert "Code beside paper" in html
    assert f'href="{BOARD}"' in html
    assert f'href="/results/{resnext.pk}"' in html


def test_an_empty_site_says_so(db, page):
    assert "There are no benchmarks yet" in page("/")


def test_list_of_benchmarks_is_searched(benchmarks, page):
    html = page("/benchmarks?q=cifar-100")
    assert "CIFAR-100" in html
    assert "MNIST" not in html


def test_leaderboard_shows_figure_interval_and_tier_in_words(page, resnext):
    html = page(BOARD)
    assert "79.312 %" in html
    assert "78.955 to 79.665 %" in html
    assert "self-reported" in html
    assert "88.8 M" in html


def test_leaderboard_is_ordered_by_the_first_metric(board):
    assert board() == ["Best", "Fast", "Small"]


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("?sort=m1&order=down", ["Small", "Best", "Fast"]),
        ("?sort=m1&order=up", ["Fast", "Best", "Small"]),
        ("?sort=model&order=up", ["Best", "Fast", "Small"]),
        ("?sort=parameters&order=up", ["Small", "Best", "Fast"]),
        ("?sort=rank&order=up", ["Small", "Fast", "Best"]),
        ("?q=mall", ["Small"]),
        ("?q=vision", ["Best", "Fast", "Small"]),
        ("?extra=yes", ["Fast"]),
        ("?tier=verified", []),
        ("?sort=nonsense&order=sideways&tier=x&extra=x&page=nine", ["Best", "Fast", "Small"]),
        ("?q=%00", ["Best", "Fast", "Small"]),
        ("?condition=A+Processor+/+float32+/+batch+1&sort=speed", ["Fast"]),
    ],
)
def test_leaderboard_filters_searches_and_sorts(board, query, names):
    assert board(query) == names


def test_speeds_of_different_conditions_are_not_ordered(board):
    assert board("?sort=speed&order=up") == ["Best", "Fast", "Small"]


def test_chosen_columns_are_shown_and_others_are_not(page, resnext):
    html = page(f"{BOARD}?c=macs")
    assert "16.4 G" in html
    assert "88.8 M" not in html


def test_rank_is_the_same_whatever_is_filtered(page, board):
    row = page(f"{BOARD}?q=Small").split("<tbody")[1]
    assert '<td class="number">3</td>' in row


def test_paper_leaderboard_lists_published_figures_and_their_source(page, resnexts):
    html = page(f"{BOARD}?tab=papers&q=ResNeXt-101+64x4")
    assert "reported by the paper" in html
    assert "Aggregated Residual Transformations" in html
    assert "reported by a catalogue" in page(f"{BOARD}?tab=papers&reporter=catalogue")


def test_paper_leaderboard_is_filtered_by_reporter(page, resnexts):
    count = ReportedResult.objects.filter(reporter="paper").count()
    assert f"{count} published result" in page(f"{BOARD}?tab=papers&reporter=paper&sort=m1&order=up")


@pytest.mark.parametrize("against", ["parameters", "year"])
def test_plot_draws_results_and_published_figures(page, resnext, against):
    html = page(f"{BOARD}?tab=plot&x={against}")
    assert "<svg" in html
    assert f'<a href="/results/{resnext.pk}"><g class="point own">' in html
    assert 'class="point paper"' in html
    assert "style=" not in html


def test_plot_with_nothing_to_draw_says_so(page, benchmarks):
    assert "Nothing here" in page(f"{BOARD}?tab=plot")


def test_a_part_of_the_data_says_that_it_cannot_be_compared(page, submit, record, benchmarks):
    part = record()["dataset"] | {"samples": 20, "complete": False}
    result = submit(record(samples=20, results={"Top 1 Accuracy": 0.9, "Top 5 Accuracy": 0.95}, dataset=part))[0]
    for address in (f"/results/{result.pk}", reverse("benchmark", args=[result.benchmark.slug])):
        html = page(address)
        assert "Not comparable" in html
        assert "20 of 50,000 images" in html
    assert "90 %" in html
    assert result.model_name not in page(BOARD)


def test_result_page_gives_the_honest_answer_to_the_known_example(page, resnext):
    html = page(f"/results/{resnext.pk}")
    assert "this model is not among those that it reports" in html
    assert "79.312 %" in html
    assert "94.526 %" in html
    assert "resnext101_32x8d IMAGENET1K_V1" in html
    assert "+0.00" in html


def test_result_page_says_all_that_the_record_says(page, submit, record, benchmarks):
    said = record(transform={"text": "Compose(\n  Resize(256)\n)", "plan": {"name": "fast"}}, nonfinite=0)
    html = page(f"/results/{submit(said)[0].pk}")
    for words in ("Resize(256)", "fast", "a" * 64, "ILSVRC2012 validation", "A Processor", "declared", "12.5"):
        assert words in html


def test_record_is_given_as_it_came(client, submit, record, benchmarks):
    result = submit(record())[0]
    answer = client.get(f"/results/{result.pk}/record.json")
    assert json.loads(answer.content) == record()
    assert "attachment" in answer["Content-Disposition"]


def test_superseded_result_stays_and_leads_to_the_later_one(page, submit, record, benchmarks):
    old = submit(record())[0]
    new = submit(record(results={"Top 1 Accuracy": 0.7, "Top 5 Accuracy": 0.9}))[0]
    assert f'href="/results/{new.pk}"' in page(f"/results/{old.pk}")
    assert f'href="/results/{old.pk}"' in page(f"/results/{new.pk}")
    assert f'href="/results/{old.pk}"' not in page(BOARD)


def test_every_metric_stands_beside_its_own_published_figure(page, submit, record, resnexts):
    figures = {"Top 1 Accuracy": 0.809, "Top 5 Accuracy": 0.9}
    result = submit(record(model="ResNeXt-101 64x4", results=figures))[0]
    for address in (BOARD, f"/results/{result.pk}", "/"):
        html = page(address).split("<tbody")[1]
        assert "reproduces" in html
        assert "falls short" in html


def test_author_s_own_figures_are_marked_as_theirs(page, submit, record, benchmarks):
    result = submit(record(arxiv_id=None, paper_results={"Top 1 Accuracy": 0.85}))[0]
    html = page(f"/results/{result.pk}")
    assert "falls short" in html
    assert "85 %" in html
    assert "author" in html


def test_paper_page_shows_code_beside_what_the_paper_reports(page, resnext, addresses):
    html = page(addresses(resnext)["paper"])
    assert "https://arxiv.org/abs/1611.05431" in html
    assert f'href="/results/{resnext.pk}"' in html
    assert "ResNeXt-101 64x4" in html


def test_repository_page_shows_results_builds_and_badge(page, resnext, addresses, commit):
    html = page(addresses(resnext)["repository"])
    assert f'href="/results/{resnext.pk}"' in html
    assert 'href="/builds/pytorch/vision/1"' in html
    assert commit[:10] in html
    assert "badge%2Fgh%2Fpytorch%2Fvision" in html


@pytest.mark.parametrize("address", ["/user/ADA/repos/pytorch/vision", "/user/ada/repos/github.com/pytorch/vision"])
def test_repository_has_one_address(client, vision, address):
    assert client.get(address).url == "/user/ada/repos/pytorch/vision"


def test_repository_of_another_host_is_found_by_its_host(page, vision):
    vision.host = "gitlab.com"
    vision.save()
    assert "gitlab.com" in page("/user/ada/repos/gitlab.com/pytorch/vision")
    page("/user/ada/repos/pytorch/vision", status=404)


def test_build_page_says_where_it_stands_and_what_it_brought(page, resnext, addresses, commit):
    html = page(addresses(resnext)["build"])
    assert "finished" in html
    assert commit in html
    assert f'href="/results/{resnext.pk}"' in html


def test_user_page_lists_repositories(page, resnext):
    assert 'href="/user/ada/repos/pytorch/vision"' in page("/user/ada")


def test_long_lists_come_in_pages_that_keep_what_was_chosen(page, submit, record, benchmarks):
    submit(*(record(model=f"Net {number}") for number in range(60)))
    html = page(f"{BOARD}?q=Net")
    assert "Page 1 of 2" in html
    assert "?q=Net&amp;page=2" in html
    assert "Page 2 of 2" in page(f"{BOARD}?q=Net&page=2")


@pytest.mark.parametrize("tab", ["results", "papers"])
def test_filtering_keeps_the_order(page, resnext, tab):
    html = page(f"{BOARD}?tab={tab}&sort=model&order=up")
    assert '<input type="hidden" name="sort" value="model"><input type="hidden" name="order" value="up">' in html


def test_help_link_is_the_owner_s(page, db, settings):
    settings.HELP_URL = "https://forum.example.org/"
    assert 'href="https://forum.example.org/"' in page("/")
    settings.HELP_URL = ""
    assert ">Help<" not in page("/")


@pytest.mark.parametrize(
    "address", ["/nothing", "/results/9", "/paper/none", "/user/nobody", "/benchmarks/none", "/builds/a/b/1"]
)
def test_what_is_not_there_is_a_page_that_says_so(page, db, address):
    assert "nothing that you may see" in page(address, status=404)


def test_robots_are_kept_out_of_what_is_not_for_reading(page, db):
    assert "Disallow: /settings/" in page("/robots.txt")


def test_pages_are_only_read(client, resnext, addresses):
    assert {client.post(address).status_code for address in addresses(resnext).values()} == {405}
