"""The database is away: what is answered, logged and counted meanwhile."""

import json
import logging.config
from pathlib import Path

import pytest
from django.db import ConnectionHandler, OperationalError, connection
from django.test import Client
from django.urls import path

from sotabench.logs import JsonFormatter
from sotabench.server.database_url import database_settings
from sotabench.server.gauges import BuildsCollector
from sotabench.server.outages import InOneLine, is_away

NOBODY = "postgresql://user:the-secret@127.0.0.1:9/none"


def away(*_):
    """What Django raises where no PostgreSQL listens."""
    ConnectionHandler({"default": database_settings(NOBODY, Path())})["default"].ensure_connection()


def broken(*_):
    raise OperationalError("no such column: none")


urlpatterns = [path("page", away), path("api/page", away), path("broken", broken)]
handler500 = "sotabench.server.outages.failed"


@pytest.fixture
def ask(settings):
    settings.ROOT_URLCONF = __name__
    settings.MIDDLEWARE = []
    return Client(raise_request_exception=False).get


@pytest.mark.django_db
def test_page_and_program_are_told_to_come_again(ask, caplog):
    page = ask("/page")
    assert (page.status_code, page["Retry-After"]) == (503, "5")
    assert "does not answer" in page.content.decode()
    program = ask("/api/page")
    assert (program.status_code, program.json()["message"][:28]) == (503, "the database does not answer")
    assert ask("/broken").status_code == 500
    logged = [record for record in caplog.records if record.name == "django.request"]
    lines = [json.loads(JsonFormatter().format(record)) for record in logged if InOneLine().filter(record)]
    assert ["traceback" in line for line in lines] == [False, False, True]
    assert "the database does not answer: connection" in lines[0]["message"]
    assert "the-secret" not in str(lines)


@pytest.mark.django_db
@pytest.mark.skipif(connection.vendor != "postgresql", reason="it is PostgreSQL's own words that are told apart")
def test_what_postgresql_answers_is_no_outage():
    with pytest.raises(OperationalError) as found, connection.cursor() as cursor:
        cursor.execute("SET statement_timeout = 1; SELECT pg_sleep(1)")
    assert not is_away(found.value)


def test_filters_are_in_the_settings(settings):
    assert "in one line" in settings.LOGGING["handlers"]["stderr"]["filters"]
    logging.config.dictConfig({**settings.LOGGING, "disable_existing_loggers": False, "root": {}, "loggers": {}})


@pytest.mark.django_db(transaction=True)
def test_metrics_are_told_without_a_database():
    def told():
        return {family.name: [sample.value for sample in family.samples] for family in BuildsCollector().collect()}

    assert told()["sotabench_database_up"] == [1]
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE builds_build RENAME TO builds_away")
    try:
        assert told() == {"sotabench_database_up": [0]}
    finally:
        with connection.cursor() as cursor:
            cursor.execute("ALTER TABLE builds_away RENAME TO builds_build")
