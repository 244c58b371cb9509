"""Tokens: hashed at rest, scoped, revocable, their use noted."""

import json

import pytest

from sotabench.server.accounts.models import ApiToken, Scope, User
from sotabench.server.accounts.queries import token_of
from sotabench.server.accounts.services import create_first_owner, create_token, note_use, revoke_token
from sotabench.server.errors import Invalid

pytestmark = pytest.mark.django_db


def test_token_opens_the_door_and_only_its_digest_is_kept(ada):
    token, text = create_token(ada, name="laptop")
    assert token_of(f"Bearer {text}") == token
    assert token_of(f"JWT {text}") == token
    kept = json.dumps(list(ApiToken.objects.values()), default=str)
    assert text not in kept
    assert text[3:20] not in kept


@pytest.mark.parametrize("header", ["", "Bearer ", "Bearer x", "Basic {}", "{}", "Bearer {}x", "Bearer \udcff"])
def test_anything_else_opens_nothing(ada, header):
    _, text = create_token(ada, name="laptop")
    assert token_of(header.replace("{}", text)) is None


def test_revoked_token_and_that_of_a_closed_account_open_nothing(ada):
    token, text = create_token(ada, name="laptop")
    _, other = create_token(ada, name="desktop")
    revoke_token(token)
    assert token_of(f"Bearer {text}") is None
    assert not token.allows(Scope.SUBMIT)
    assert token_of(f"Bearer {other}") is not None
    User.objects.update(is_active=False)
    assert token_of(f"Bearer {other}") is None


def test_token_is_good_for_its_scopes_alone(ada):
    token, _ = create_token(ada, name="laptop", scopes=[Scope.SUBMIT])
    assert token.allows(Scope.SUBMIT)
    assert not token.allows(Scope.MANAGE)
    with pytest.raises(ValueError, match="expected scopes among"):
        create_token(ada, name="laptop", scopes=["everything"])


def test_use_is_noted_but_not_written_at_every_request(ada, django_assert_num_queries):
    token, _ = create_token(ada, name="laptop")
    note_use(token)
    token.refresh_from_db()
    assert token.last_used_at is not None
    with django_assert_num_queries(0):
        note_use(token)


def test_name_of_the_first_owner_fits_an_address():
    with pytest.raises(Invalid, match="expected a name of"):
        create_first_owner("the owner")
    assert not User.objects.exists()


def test_first_owner_is_made_once():
    password = create_first_owner("owner")
    assert User.objects.get(username="owner").check_password(password)
    assert create_first_owner("second") is None
