"""Benchmarks and results, as the site's owner sees them: results are looked at, never edited."""

from typing import Any, ClassVar

from django.contrib import admin
from django.http import HttpRequest

from sotabench.server.benchmarks.models import Benchmark, Figure, Metric, Result
from sotabench.server.benchmarks.reordering import order_anew


class MetricInline(admin.TabularInline):
    """A benchmark's metrics on its page."""

    model = Metric
    extra = 0


@admin.register(Benchmark)
class BenchmarkAdmin(admin.ModelAdmin):
    """Benchmarks can be added, listed and hidden."""

    list_display = ("__str__", "slug", "size", "variant_of", "is_listed")
    list_filter = ("is_listed", "task")
    search_fields = ("task", "dataset")
    exclude = ("labels",)
    inlines: ClassVar = [MetricInline]

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:  # noqa: FBT001 - Django's signature
        """Its metrics; where they change, so does the order of its leaderboard."""
        super().save_related(request, form, formsets, change)
        if change and any(formset.has_changed() for formset in formsets):
            order_anew(form.instance.pk)


class FigureInline(admin.TabularInline):
    """A result's figures on its page."""

    model = Figure
    can_delete = False
    extra = 0

    def has_add_permission(self, request: HttpRequest, obj: Result | None = None) -> bool:  # noqa: ARG002
        """Nobody."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Result | None = None) -> bool:  # noqa: ARG002
        """Nobody."""
        return False


@admin.register(Result)
class ResultAdmin(admin.ModelAdmin):
    """To look at, and to delete what should never have been published."""

    list_display = ("model_name", "benchmark", "repository", "tier", "rank_value", "created_at")
    list_filter = ("tier", "benchmark")
    list_select_related = ("benchmark", "repository")
    search_fields = ("model_name", "repository__name")
    inlines: ClassVar = [FigureInline]

    def has_add_permission(self, request: HttpRequest) -> bool:  # noqa: ARG002 - Django's signature
        """Nobody."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Result | None = None) -> bool:  # noqa: ARG002
        """Nobody."""
        return False
