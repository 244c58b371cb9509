"""Repositories, as the site's owner sees them."""

from django.contrib import admin

from sotabench.server.repositories.models import Repository


@admin.register(Repository)
class RepositoryAdmin(admin.ModelAdmin):
    """Who owns a repository here can be changed, for when the wrong person was first."""

    list_display = ("__str__", "host", "owner", "is_public", "build_enabled", "created_at")
    list_filter = ("is_public", "host")
    search_fields = ("owner_name", "name", "owner__username")
    autocomplete_fields = ("owner",)
