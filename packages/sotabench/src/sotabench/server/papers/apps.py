"""The app's name."""

from django.apps import AppConfig


class PapersConfig(AppConfig):
    """Papers, and the results that papers and catalogues report."""

    name = "sotabench.server.papers"
    default_auto_field = "django.db.models.BigAutoField"
