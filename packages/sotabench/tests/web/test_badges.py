"""Every public repository's page has the line for its README, and the badge in it is that repository's."""

import re
from urllib.parse import parse_qs, urlsplit

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext


@pytest.fixture
def badge_on(page, client):
    """What the badge says whose line is on the repository's page."""

    def said(address):
        found = re.search(r"https://img\.shields\.io/endpoint\?(url=[^)]+)", page(address))
        assert found, "no line for a README"
        answer = client.get(urlsplit(parse_qs(found[1])["url"][0]).path)
        assert answer.status_code == 200
        return answer.json()

    return said


@pytest.mark.parametrize("default", ["github.com", "gitlab.com", "git.example.org:8443"])
@pytest.mark.parametrize(
    ("host", "owner"),
    [
        ("github.com", "pytorch"), ("gitlab.com", "pytorch"), ("gitlab.com", "a-group/a-subgroup"),
        ("git.example.org:8443", "pytorch"), ("localhost", "pytorch"),
    ],
)  # fmt: skip
def test_badge_is_of_the_repository_whose_page_shows_it(badge_on, settings, resnext, vision, host, owner, default):
    settings.DEFAULT_GIT_HOST = default
    vision.host, vision.owner_name = host, owner
    vision.save()
    assert badge_on(f"/user/ada/repos/{vision.host}/{vision}".replace(f"{default}/pytorch", "pytorch")) == {
        "schemaVersion": 1, "label": "sotabench", "message": "ImageNet 79.31% (self-reported)", "color": "blue",
    }  # fmt: skip


def test_badges_address_names_the_host_whatever_the_default_one_is(client, settings, resnext, vision):
    settings.DEFAULT_GIT_HOST = "gitlab.com"
    for address in ("gh/pytorch/vision", "github.com/pytorch/vision"):
        assert "79.31%" in client.get(f"/api/v0/badge/{address}").json()["message"]
    assert client.get("/api/v0/badge/gitlab.com/pytorch/vision").json()["isError"]


@pytest.mark.parametrize("address", ["github.com/pytorch/secret", "gitlab.com/a/b/c", "nothing", "a//b", "gh/a/b/c"])
def test_badge_of_what_nobody_may_see_says_only_that_it_is_unknown(client, resnext, address):
    answer = client.get(f"/api/v0/badge/{address}")
    assert (answer.status_code, answer.json()["message"]) == (200, "unknown repository")


def test_badge_reads_one_result_of_however_many_and_no_record(client, resnext, submit, record):
    submit(record(model="Better", results={"Top 1 Accuracy": 0.9}))
    with CaptureQueriesContext(connection) as asked:
        assert "90.00%" in client.get("/api/v0/badge/gh/pytorch/vision").json()["message"]
    (results,) = [one["sql"] for one in asked if '"benchmarks_result"."model_name"' in one["sql"]]
    assert results.endswith("LIMIT 1")
    assert '"record"' not in results


def test_private_repositorys_page_has_no_line(client, page, ada, vision):
    vision.is_public = False
    vision.save()
    client.force_login(ada)
    assert "shields.io" not in page("/user/ada/repos/pytorch/vision")
