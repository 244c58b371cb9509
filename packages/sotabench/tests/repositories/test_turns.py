"""Hosts that are silent hold few of the threads that answer everybody."""

from contextlib import ExitStack

import pytest

from sotabench.server.accounts.models import User
from sotabench.server.accounts.services import create_token
from sotabench.server.builds.pushes import build_branch
from sotabench.server.errors import Conflict
from sotabench.server.outgoing import Unanswered
from sotabench.server.repositories.hosts import Access
from sotabench.server.repositories.identity import location_of
from sotabench.server.repositories.proofs import prove_by_file, prove_by_host
from sotabench.server.repositories.turns import MOST_AT_ONCE, turn

pytestmark = pytest.mark.django_db


def asked(user, repository):
    """Everything by which a user makes the site wait for a git host."""
    place = location_of("127.0.0.1:1/a/b")
    yield lambda: prove_by_file(user, place)
    yield lambda: prove_by_host(user, place, Access("gitea", "t"))
    yield lambda: build_branch(user, repository)


def test_user_waits_for_one_host_at_a_time(ada, vision):
    with turn(ada):
        for ask in asked(ada, vision):
            with pytest.raises(Conflict, match="one question to a git host at a time"):
                ask()
    with turn(ada):
        pass


def test_so_many_users_at_once_and_no_more(ada, vision):
    others = [User.objects.create(username=f"user{number}") for number in range(MOST_AT_ONCE)]
    with ExitStack() as waiting:
        for other in others:
            waiting.enter_context(turn(other))
        for ask in asked(ada, vision):
            with pytest.raises(Conflict, match=f"at most {MOST_AT_ONCE} questions"):
                ask()


def test_question_that_failed_is_over(ada, vision):
    for _ in range(2):
        for ask in list(asked(ada, vision))[:2]:
            with pytest.raises(Unanswered):
                ask()


def test_refusal_is_said_to_programs_and_people(client, ada):
    with turn(ada):
        headers = {"Authorization": f"Bearer {create_token(ada, name='all')[1]}"}
        answer = client.post("/api/v1/proofs", {"address": "a/b"}, content_type="application/json", headers=headers)
        assert (answer.status_code, "try again soon" in answer.json()["message"]) == (409, True)
        client.force_login(ada)
        answer = client.post("/settings/repositories/a/b/proof")
        assert (answer.status_code, "try again soon" in answer.content.decode()) == (409, True)
