"""A site with something on every page, and the addresses of its pages."""

import pytest
from django.urls import reverse

from sotabench.server.papers.models import Paper
from sotabench.server.repositories.models import Repository

BOARD = "image-classification-on-imagenet"


@pytest.fixture
def secret(ada):
    """ada's private repository."""
    return Repository.objects.create(host="github.com", owner_name="ada", name="secret", owner=ada, is_public=False)


@pytest.fixture
def resnext(submit, record, resnexts):
    """The seed's own example, submitted."""
    return submit(record())[0]


@pytest.fixture
def page(client):
    """The text of the page at an address, which has to be there."""

    def text(address, status=200):
        answer = client.get(address)
        assert answer.status_code == status, address
        return answer.content.decode()

    return text


@pytest.fixture
def addresses():
    """The addresses of the pages that show a result, by name."""

    def of(result):
        repository = f"{result.repository.owner_name}/{result.repository.name}"
        board = reverse("benchmark", args=[BOARD])
        paper = Paper.objects.filter(arxiv_id=result.arxiv_id).first()
        found = {
            "front": "/",
            "benchmarks": "/benchmarks",
            "leaderboard": board,
            "leaderboard by speed": f"{board}?c=speed&c=macs&c=date&c=extra&sort=m1",
            "published": f"{board}?tab=papers",
            "plot": f"{board}?tab=plot",
            "plot by year": f"{board}?tab=plot&x=year",
            "user": f"/user/{result.repository.owner.username}",
            "repository": f"/user/{result.repository.owner.username}/repos/{repository}",
            "build": f"/builds/{repository}/{result.build.number}",
            "result": f"/results/{result.pk}",
        }
        return found | ({"paper": f"/paper/{paper.slug}"} if paper else {})

    return of
