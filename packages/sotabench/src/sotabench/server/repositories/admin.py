"""Repositories, as the site's owner sees them."""

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest

from sotabench.server.repositories.models import Delivery, Repository
from sotabench.server.repositories.services import approve, withdraw_approval


@admin.register(Repository)
class RepositoryAdmin(admin.ModelAdmin):
    """Who owns a repository here can be changed, for when the wrong person was first; builds are approved here."""

    list_display = ("__str__", "host", "owner", "proven_by", "approved_at", "is_public", "build_enabled", "created_at")
    list_filter = ("proven_by", ("approved_at", admin.EmptyFieldListFilter), "is_public", "host")
    search_fields = ("owner_name", "name", "owner__username")
    autocomplete_fields = ("owner",)
    readonly_fields = ("proven_by", "proven_at", "approved_at", "clone_url", "moved_to")
    actions = ("allow_builds", "forbid_builds")

    @admin.action(description="Allow that the chosen repositories are built", permissions=["change"])
    def allow_builds(self, request: HttpRequest, chosen: QuerySet[Repository]) -> None:
        """From their next push on."""
        for repository in chosen:
            approve(repository)
        self.message_user(request, f"{len(chosen)} may be built from their next push on.")

    @admin.action(description="No longer build the chosen repositories", permissions=["change"])
    def forbid_builds(self, request: HttpRequest, chosen: QuerySet[Repository]) -> None:
        """What runs goes on; what waits does not begin."""
        for repository in chosen:
            withdraw_approval(repository)
        self.message_user(request, f"{len(chosen)} are built no more.")


@admin.register(Delivery)
class DeliveryAdmin(admin.ModelAdmin):
    """What webhooks said, to look at."""

    list_display = ("repository", "event", "outcome", "created_at")
    list_select_related = ("repository",)

    def has_add_permission(self, request: HttpRequest) -> bool:  # noqa: ARG002 - Django's signature
        """Nobody."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Delivery | None = None) -> bool:  # noqa: ARG002
        """Nobody."""
        return False
