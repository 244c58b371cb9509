"""The app's name."""

from django.apps import AppConfig


class ApiConfig(AppConfig):
    """What programs may ask over HTTP."""

    name = "sotabench.server.api"
    default_auto_field = "django.db.models.BigAutoField"
