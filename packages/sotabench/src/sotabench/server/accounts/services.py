"""What happens to accounts: tokens are made, used and revoked; the site's first owner is made."""

import hashlib
import secrets
from collections.abc import Iterable
from datetime import timedelta

from django.core.exceptions import ValidationError
from django.db.models import Q
from django.utils import timezone

from sotabench.server.accounts.models import ApiToken, Scope, User
from sotabench.server.errors import Invalid

TOKEN_START = "sb_"  # noqa: S105 - how every token begins, so that scanners of leaks know one
_SHOWN = len(TOKEN_START) + 6
_USE_IS_NOTED_EVERY = timedelta(minutes=1)


def create_token(user: User, *, name: str, scopes: Iterable[str] = tuple(Scope.values)) -> tuple[ApiToken, str]:
    """A new token and its text, which is not kept: this is the only time that it is seen.

    The text holds 256 random bits, so a plain digest of it is safe to keep. Raises ValueError for an unknown scope.
    """
    wanted = sorted(set(scopes))
    if unknown := [scope for scope in wanted if scope not in Scope.values]:
        raise ValueError(f"expected scopes among {', '.join(Scope.values)}, found {unknown}")
    text = TOKEN_START + secrets.token_urlsafe(32)
    token = ApiToken.objects.create(
        user=user, name=name[:100], prefix=text[:_SHOWN], digest=token_digest(text), scopes=wanted
    )
    return token, text


def token_digest(text: str) -> str:
    """What is kept of a token."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def note_use(token: ApiToken) -> None:
    """Remember that the token was used now; written at most once a minute, so that reading does not become writing."""
    now = timezone.now()
    stale = Q(last_used_at=None) | Q(last_used_at__lt=now - _USE_IS_NOTED_EVERY)
    if token.last_used_at is None or token.last_used_at < now - _USE_IS_NOTED_EVERY:
        ApiToken.objects.filter(stale, pk=token.pk).update(last_used_at=now)


def revoke_token(token: ApiToken) -> None:
    """End the token now; it stays on its user's list."""
    ApiToken.objects.filter(pk=token.pk, revoked_at=None).update(revoked_at=timezone.now())
    token.refresh_from_db(fields=["revoked_at"])


def create_first_owner(username: str) -> str | None:
    """Make the site's owner and return the password, or return None when the site has an owner already.

    Raises Invalid for a name that no account can have.
    """
    if User.objects.filter(is_superuser=True).exists():
        return None
    try:
        User(username=username).clean_fields(exclude=["password"])
    except ValidationError as error:
        raise Invalid("; ".join(error.messages)) from error
    password = secrets.token_urlsafe(16)
    User.objects.create_superuser(username, password=password)
    return password
