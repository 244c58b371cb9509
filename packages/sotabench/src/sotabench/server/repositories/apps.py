"""The app's name."""

from django.apps import AppConfig


class RepositoriesConfig(AppConfig):
    """Git repositories, on any host."""

    name = "sotabench.server.repositories"
    default_auto_field = "django.db.models.BigAutoField"
