"""The app's name."""

from django.apps import AppConfig


class BenchmarksConfig(AppConfig):
    """Benchmarks, and the results that code reached on them."""

    name = "sotabench.server.benchmarks"
    default_auto_field = "django.db.models.BigAutoField"
