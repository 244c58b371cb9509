"""Who is asking; members only; metrics; what is logged."""

import json
import logging

import pytest
from django.contrib.auth.models import AnonymousUser
from django.http import HttpResponse
from django.test import RequestFactory

from sotabench.logs import JsonFormatter, TextFormatter
from sotabench.server.accounts.middleware import MembersOnly, TokenAuthentication
from sotabench.server.accounts.services import create_token
from sotabench.server.observing import ObserveRequests, health, metrics

pytestmark = pytest.mark.django_db


@pytest.fixture
def ask():
    """What the two middlewares make of a request: the answer, and the request as a view would see it."""

    def asked(path, user=None, **headers):
        seen = []

        def view(request):
            seen.append(request)
            return HttpResponse("the page")

        request = RequestFactory().get(path, headers=headers)
        request.user = user or AnonymousUser()
        answer = TokenAuthentication(MembersOnly(view))(request)
        return answer, (seen or [None])[0]

    return asked


def test_token_says_who_asks_below_the_api(ask, ada):
    token, text = create_token(ada, name="laptop")
    _, request = ask("/api/v1/results", Authorization=f"Bearer {text}")
    assert (request.user, request.api_token) == (ada, token)


def test_cookie_counts_for_nothing_below_the_api(ask, ada):
    _, request = ask("/api/v1/results", user=ada)
    assert request.user.is_anonymous


def test_token_counts_for_nothing_on_pages(ask, ada):
    _, text = create_token(ada, name="laptop")
    _, request = ask("/", Authorization=f"Bearer {text}")
    assert request.user.is_anonymous


def test_members_only_site_shows_a_stranger_the_door(ask, ada, settings):
    settings.MEMBERS_ONLY = True
    answer, request = ask("/benchmarks/image-classification-on-imagenet?sort=x")
    assert request is None
    assert (answer.status_code, answer.url.split("?")[0]) == (302, "/accounts/login/")
    assert ask("/api/v1/results")[0].status_code == 401
    for path in ("/accounts/login/", "/healthz", "/static/x.css", "/api/v0/auth/token/"):
        assert ask(path)[0].status_code == 200
    assert ask("/", user=ada)[0].status_code == 200
    _, text = create_token(ada, name="laptop")
    assert ask("/api/v1/results", Authorization=f"Bearer {text}")[0].status_code == 200


@pytest.mark.django_db
def test_metrics_are_for_this_machine_or_for_whoever_has_the_token(settings):
    get = RequestFactory().get
    assert metrics(get("/metrics")).status_code == 200
    assert metrics(get("/metrics", REMOTE_ADDR="203.0.113.7")).status_code == 403
    assert metrics(get("/metrics", headers={"X-Forwarded-For": "203.0.113.7"})).status_code == 403
    settings.METRICS_TOKEN = "open sesame"  # noqa: S105 - opens this test alone
    assert metrics(get("/metrics")).status_code == 403
    assert metrics(get("/metrics", headers={"Authorization": "Bearer open sesame"})).status_code == 200
    assert metrics(get("/metrics", headers={"Authorization": "Bearer \xff"})).status_code == 403


def test_request_is_one_harmless_line_of_json(caplog):
    caplog.set_level(logging.INFO, logger="sotabench.requests")
    request = RequestFactory().get("/a\n\x1b[31m")
    request.path = "/a\n\x1b[31m"
    ObserveRequests(lambda _: HttpResponse("x", status=418))(request)
    line = JsonFormatter().format(caplog.records[0])
    assert "\n" not in line
    assert json.loads(line)["path"] == r"/a\n\x1b[31m"
    assert json.loads(line)["status"] == 418


def test_error_is_logged_with_its_traceback():
    try:
        1 / 0  # noqa: B018
    except ZeroDivisionError as error:
        record = logging.LogRecord("x", logging.ERROR, "", 0, "it %s", ("broke",), (type(error), error, None))
    line = json.loads(JsonFormatter().format(record))
    assert (line["level"], line["message"]) == ("error", "it broke")
    assert "ZeroDivisionError" in line["traceback"]


def test_health_asks_the_database(django_assert_num_queries):
    with django_assert_num_queries(1):
        assert health(RequestFactory().get("/healthz")).status_code == 200


def test_text_log_says_which_request_it_was():
    record = logging.LogRecord("sotabench.requests", logging.INFO, "", 0, "request", (), None)
    record.facts = {"method": "GET", "path": "/a", "status": 200}
    line = TextFormatter().format(record)
    assert line.endswith("INFO sotabench.requests request method=GET path=/a status=200")


def test_text_log_keeps_a_strangers_words_on_their_line():
    record = logging.LogRecord("x", logging.WARNING, "", 0, "Not found: %s", ("/a\n\x1b[2Jb",), None)
    assert TextFormatter().format(record).endswith(r"Not found: /a\n\x1b[2Jb")
