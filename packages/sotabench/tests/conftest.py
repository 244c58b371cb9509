"""Users, repositories and records that tests need."""

import pytest

from sotabench.server.accounts.models import User
from sotabench.server.repositories.models import Repository

COMMIT = "0123456789abcdef0123456789abcdef01234567"


@pytest.fixture
def ada(db):
    return User.objects.create_user("ada", password="correct horse battery")


@pytest.fixture
def bob(db):
    return User.objects.create_user("bob", password="correct horse battery")


@pytest.fixture
def vision(ada):
    return Repository.objects.create(host="github.com", owner_name="pytorch", name="vision", owner=ada)
