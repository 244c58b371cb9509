"""The app's name."""

from django.apps import AppConfig


class AnnouncingConfig(AppConfig):
    """What the site says elsewhere."""

    name = "sotabench.server.announcing"
    default_auto_field = "django.db.models.BigAutoField"
