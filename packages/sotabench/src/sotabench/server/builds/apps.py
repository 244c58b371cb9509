"""The app's name."""

from django.apps import AppConfig


class BuildsConfig(AppConfig):
    """What was made of one commit of a repository."""

    name = "sotabench.server.builds"
    default_auto_field = "django.db.models.BigAutoField"
