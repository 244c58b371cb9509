"""Builds, as the site's owner sees them: they are looked at, never edited."""

from django.contrib import admin
from django.http import HttpRequest

from sotabench.server.builds.models import Build


@admin.register(Build)
class BuildAdmin(admin.ModelAdmin):
    """To look at."""

    list_display = ("__str__", "status", "origin", "commit", "created_at")
    list_filter = ("status", "origin")
    search_fields = ("repository__owner_name", "repository__name", "commit")
    list_select_related = ("repository",)

    def has_add_permission(self, request: HttpRequest) -> bool:  # noqa: ARG002 - Django's signature
        """Nobody."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Build | None = None) -> bool:  # noqa: ARG002
        """Nobody."""
        return False
