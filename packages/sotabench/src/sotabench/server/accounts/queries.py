"""What can be asked about accounts."""

from django.db.models import QuerySet

from sotabench.server.accounts.models import ApiToken, User
from sotabench.server.accounts.services import token_digest
from sotabench.server.errors import NotFound

_SCHEMES = ("bearer ", "jwt ", "token ")


def token_in(authorization: str) -> str:
    """The token in an `Authorization` header (`Bearer` or `JWT`); empty when there is none."""
    for scheme in _SCHEMES:
        if authorization[: len(scheme)].lower() == scheme:
            return authorization[len(scheme) :].strip()
    return ""


def token_of(authorization: str) -> ApiToken | None:
    """The living token in an `Authorization` header, with its user; None when there is none."""
    text = token_in(authorization)
    return _living_tokens().filter(digest=token_digest(text)).first() if text else None


def tokens_of(user: User) -> QuerySet[ApiToken]:
    """The user's tokens, newest first, revoked ones among them."""
    return ApiToken.objects.filter(user=user)


def user_by_name(username: str) -> User:
    """The user of this name, however it is capitalised. Raises NotFound for nobody, and for a closed account."""
    found = User.objects.filter(username__iexact=username, is_active=True)
    if username.isprintable() and (user := found.first()):  # NUL is nothing that a database can be asked for
        return user
    raise NotFound(f"expected a user of this site, found none of the name {username[:200]!r}")


def _living_tokens() -> QuerySet[ApiToken]:
    return ApiToken.objects.select_related("user").filter(revoked_at=None, user__is_active=True)
