"""Our own models against each other: ties on the leaderboard, and two models image by image."""

import numpy as np
import pytest

from benchrecord import PredictionsBuilder, write_predictions
from sotabench.server.benchmarks.labels import set_labels
from sotabench.server.benchmarks.models import Benchmark

IMAGES = 100
BOARD = "/benchmarks/image-classification-on-imagenet"


@pytest.fixture
def predicted(record, tmp_path):
    """A record, and its predictions file, of a model that is right on the first so many images."""

    def made(name, right):
        outputs = np.zeros((IMAGES, 10), np.float32)
        outputs[:, 3] = 1
        outputs[:right, 7] = 2
        builder = PredictionsBuilder(10)
        builder.add([f"image-{number}" for number in range(IMAGES)], outputs)
        path = tmp_path / f"{name}.npz"
        facts = write_predictions(path, builder.finish())
        said = {"name": path.name, "size": facts.size, "sha256": facts.sha256}
        results = {"Top 1 Accuracy": right / IMAGES}
        return record(model=name, samples=IMAGES, dataset=None, predictions=said, results=results), path

    return made


@pytest.fixture
def ranked(benchmarks, submit, predicted):
    """Two models that nothing tells apart, and one that is far worse."""
    benchmark = Benchmark.objects.get(dataset="ImageNet")
    benchmark.size = IMAGES
    benchmark.save()
    rows = "".join(f"image-{number},7\n" for number in range(IMAGES))
    set_labels(benchmark, f"id,class_index\n{rows}".encode())
    made = [predicted("Best", 90), predicted("Close", 89), predicted("Worst", 40)]
    return submit(*(record for record, _ in made), files={path.name: path for _, path in made})


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
