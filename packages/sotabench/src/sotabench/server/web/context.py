"""What every template knows."""

from django.conf import settings
from django.http import HttpRequest


def site(request: HttpRequest) -> dict[str, object]:  # noqa: ARG001 - Django calls it so
    """The site's name, its owner's help address, and whether anybody may make an account."""
    return {"site_name": settings.SITE_NAME, "help_url": settings.HELP_URL, "signup_open": settings.SIGNUP_OPEN}
