"""The app's name."""

from django.apps import AppConfig


class DatasetsConfig(AppConfig):
    """Data sets that a repository brings along."""

    name = "sotabench.server.datasets"
    default_auto_field = "django.db.models.BigAutoField"
