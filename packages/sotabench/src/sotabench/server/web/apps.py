"""The app's name."""

from django.apps import AppConfig


class WebConfig(AppConfig):
    """The pages that people read."""

    name = "sotabench.server.web"
    default_auto_field = "django.db.models.BigAutoField"
