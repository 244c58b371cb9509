"""Papers, as the site's owner sees them."""

from django.contrib import admin

from sotabench.server.papers.models import Paper, ReportedResult


@admin.register(Paper)
class PaperAdmin(admin.ModelAdmin):
    """Titles and ids can be put right."""

    list_display = ("title", "arxiv_id", "pwc_id", "year")
    search_fields = ("title", "arxiv_id", "pwc_id")


@admin.register(ReportedResult)
class ReportedResultAdmin(admin.ModelAdmin):
    """What papers and catalogues report."""

    list_display = ("model_name", "catalogue", "benchmark", "paper", "rank_value")
    list_filter = ("reporter", "catalogue")
    list_select_related = ("paper",)
    search_fields = ("model_name", "paper__title")
    autocomplete_fields = ("paper",)
