"""What can be asked about accounts."""

from django.db.models import QuerySet

from sotabench.server.accounts.models import ApiToken, User
from sotabench.server.accounts.services import token_digest

_SCHEMES = ("bearer ", "jwt ", "token ")


def token_of(authorization: str) -> ApiToken | None:
    """The living token in an `Authorization` header (`Bearer` or `JWT`), with its user; None when there is none."""
    for scheme in _SCHEMES:
        if authorization[: len(scheme)].lower() == scheme:
            return _living_tokens().filter(digest=token_digest(authorization[len(scheme) :].strip())).first()
    return None


def tokens_of(user: User) -> QuerySet[ApiToken]:
    """The user's tokens, newest first, revoked ones among them."""
    return ApiToken.objects.filter(user=user)


def _living_tokens() -> QuerySet[ApiToken]:
    return ApiToken.objects.select_related("user").filter(revoked_at=None, user__is_active=True)
