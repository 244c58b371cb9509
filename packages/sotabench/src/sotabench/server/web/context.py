"""What every template knows."""

from django.conf import settings
from django.http import HttpRequest


def site(request: HttpRequest) -> dict[str, object]:  # noqa: ARG001 - Django calls it so
    """The site's name and its owner's help address."""
    return {"site_name": settings.SITE_NAME, "help_url": settings.HELP_URL}
