"""Our own models against each other: ties on the leaderboard, and two models image by image."""

import pytest

BOARD = "/benchmarks/image-classification-on-imagenet"


def test_models_that_cannot_be_told_apart_share_a_letter_on_the_leaderboard(page, ranked):
    html = page(BOARD)
    assert html.count('<td class="letters">a</td>') == 2
    assert html.count('<td class="letters">b</td>') == 1


def test_letters_are_given_for_the_whole_leaderboard_alone(page, ranked):
    for query in ("?q=Best", "?sort=model", "?page=2", "?sort=rank&order=up"):
        assert "<th>Ties" not in page(BOARD + query)
        assert 'class="letters"' not in page(BOARD + query)


def test_two_models_are_compared_image_by_image(page, ranked):
    best, close, worst = ranked
    tie = page(f"/results/{best.pk}/compare?with={close.pk}")
    assert "A statistical tie" in tie
    apart = page(f"/results/{best.pk}/compare?with={worst.pk}")
    assert "The first is better" in apart
    assert "+50.00" in apart
    assert '<td class="number">50</td>' in apart
    assert "The second is better" in page(f"/results/{worst.pk}/compare?with={best.pk}")


def test_result_page_offers_the_others_to_compare_with(page, ranked):
    html = page(f"/results/{ranked[0].pk}")
    assert [f'<option value="{one.pk}">' in html for one in ranked] == [False, True, True]


def test_results_without_predictions_say_that_they_cannot_be_compared(page, submit, record, benchmarks):
    first, second = submit(record(), record(model="Other"))
    assert "cannot be compared image by image" in page(f"/results/{first.pk}/compare?with={second.pk}")


@pytest.mark.parametrize("other", ["", "x", "999", "\u0663", "9" * 40])
def test_comparing_with_nothing_is_not_found(page, ranked, other):
    page(f"/results/{ranked[0].pk}/compare?with={other}", status=404)


@pytest.fixture
def hidden(submit, predicted, secret):
    """A model in ada's private repository."""
    said, path = predicted("Hidden", 95)
    return submit(said, repository=secret, files={path.name: path})[0]


def test_a_private_result_is_compared_by_its_owner_alone(client, page, ranked, hidden, ada):
    address = f"/results/{ranked[0].pk}/compare?with={hidden.pk}"
    page(address, status=404)
    assert "Hidden" not in page(f"/results/{ranked[0].pk}")
    client.force_login(ada)
    assert "Hidden" in page(address)


def test_comparing_costs_two_pages_of_queries(client, ranked, django_assert_num_queries):
    with django_assert_num_queries(4):
        client.get(f"/results/{ranked[0].pk}/compare?with={ranked[1].pk}")
