"""Programs that ask the site, each in somebody's name."""

import json

import pytest
from django.core.cache import cache
from django.test import Client

from sotabench.server.accounts.models import Scope
from sotabench.server.accounts.services import create_token


class Program:
    """Asks the API with a token, or without one, and reads JSON."""

    def __init__(self, token=""):
        self._client = Client()
        self._headers = {"Authorization": f"JWT {token}"} if token else {}

    def ask(self, method, path, body=None):
        """The status and the JSON of the answer."""
        answer = self._client.generic(
            method, path, json.dumps(body or {}), content_type="application/json", headers=self._headers
        )
        return answer.status_code, json.loads(answer.content)


@pytest.fixture(autouse=True)
def _fresh_counts():
    cache.clear()


@pytest.fixture
def stranger(db):
    return Program()


@pytest.fixture
def adas(ada):
    return Program(create_token(ada, name="all")[1])


@pytest.fixture
def bobs(bob):
    return Program(create_token(bob, name="all")[1])


@pytest.fixture
def adas_submitting(ada):
    return Program(create_token(ada, name="submit", scopes=[Scope.SUBMIT])[1])


@pytest.fixture
def adas_managing(ada):
    return Program(create_token(ada, name="manage", scopes=[Scope.MANAGE])[1])
