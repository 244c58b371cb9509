"""The app's name."""

from django.apps import AppConfig


class AccountsConfig(AppConfig):
    """Who may do what: users and their tokens."""

    name = "sotabench.server.accounts"
    default_auto_field = "django.db.models.BigAutoField"
