"""What can be asked about benchmarks and results."""

from django.db.models import Count, OuterRef, Q, QuerySet, Subquery
from django.db.models.functions import Coalesce

from sotabench.server.accounts.models import User
from sotabench.server.benchmarks.models import Benchmark, Result
from sotabench.server.errors import NotFound
from sotabench.server.papers.models import Paper, ReportedResult
from sotabench.server.papers.queries import SHORTEST_CUT_SLUG
from sotabench.server.repositories.models import Repository
from sotabench.server.repositories.queries import Viewer, repositories_for, visible_to

CURRENT = Q(superseded_by=None, build__is_preview=False)
"""Results that nothing took the place of, and that stand for their repository."""

UNREAD = ("build__inputs", "carried_from__record", "carried_from__build__inputs")
"""What may be megabytes and stands on no page."""


def listed_benchmarks() -> QuerySet[Benchmark]:
    """The benchmarks of the front page, with their metrics."""
    return Benchmark.objects.filter(is_listed=True).prefetch_related("metrics")


def counted_benchmarks(viewer: Viewer) -> QuerySet[Benchmark]:
    """The listed benchmarks, with how many results the viewer may see and how many are published elsewhere."""
    seen = Result.objects.filter(visible_to(viewer), benchmark=OuterRef("pk"))
    seen = seen.filter(superseded_by=None, rank_value__isnull=False).order_by()
    reported = ReportedResult.objects.filter(benchmark=OuterRef("slug")).order_by()
    return listed_benchmarks().annotate(
        result_count=Coalesce(Subquery(seen.values("benchmark").annotate(n=Count("pk")).values("n")), 0),
        reported_count=Coalesce(Subquery(reported.values("benchmark").annotate(n=Count("pk")).values("n")), 0),
    )


def counted_repositories(owner: User, viewer: Viewer) -> QuerySet[Repository]:
    """The owner's repositories that the viewer may see, with how many current results each has."""
    current = Count("results", filter=Q(results__superseded_by=None, results__build__is_preview=False))
    owned = repositories_for(viewer).filter(owner=owner).annotate(result_count=current)
    return owned.order_by("host", "owner_name", "name")


def benchmark_by_slug(slug: str) -> Benchmark:
    """The benchmark at an address, listed or not. Raises NotFound."""
    found = Benchmark.objects.select_related("variant_of").prefetch_related("metrics").filter(slug=slug).first()
    if found is None:
        raise NotFound(f"expected a benchmark, found none at {slug[:200]!r}")
    return found


def benchmark_for(viewer: Viewer, slug: str) -> Benchmark:
    """The benchmark at an address; an unlisted one, which a result made, when the viewer may see such a result.

    Raises NotFound.
    """
    found = benchmark_by_slug(slug)
    if found.is_listed or results_for(viewer).filter(benchmark=found).exists():
        return found
    raise NotFound(f"expected a benchmark, found none at {slug[:200]!r}")


def results_for(viewer: Viewer) -> QuerySet[Result]:
    """All results that the viewer may see, superseded ones too."""
    found = Result.objects.filter(visible_to(viewer))
    found = found.select_related("repository", "build", "benchmark__variant_of", "carried_from__build")
    return found.defer(*UNREAD)


def result_for(viewer: Viewer, key: int) -> Result:
    """One result; NotFound when there is none or the viewer may not see it."""
    if result := results_for(viewer).prefetch_related("figures").filter(pk=key).first():
        return result
    raise NotFound(f"expected a result that you may see, found none with number {key}")


def history_of(result: Result, viewer: Viewer) -> QuerySet[Result]:
    """The other results of the same model in the same repository on the same benchmark, newest first."""
    same = results_for(viewer).filter(
        repository=result.repository_id, benchmark=result.benchmark_id, model_name=result.model_name
    )
    return same.filter(build__is_preview=False).exclude(pk=result.pk).order_by("-id")


def leaderboard(benchmark: Benchmark, viewer: Viewer) -> QuerySet[Result]:
    """The current, scored results on the benchmark that the viewer may see, best first."""
    return (
        with_figures()
        .filter(visible_to(viewer), benchmark=benchmark, superseded_by=None, rank_value__isnull=False)
        .order_by("-rank_value", "id")
    )


def with_figures() -> QuerySet[Result]:
    """Results with their figures, repositories and builds; whoever asks has checked that they may be seen."""
    return Result.objects.select_related("repository", "build").defer("build__inputs").prefetch_related("figures")


def current_results(repository: Repository) -> QuerySet[Result]:
    """The repository's results that nothing took the place of; whoever calls has checked that it may be seen.

    A preview's stand on the page of its build alone.
    """
    return (
        repository.results.filter(CURRENT)
        .select_related("benchmark__variant_of", "build", "repository", "carried_from__build")
        .defer(*UNREAD)
        .prefetch_related("figures", "benchmark__metrics")
        .order_by("benchmark__task", "benchmark__dataset", "-rank_value", "id")
    )


def results_of_paper(paper: Paper, viewer: Viewer) -> QuerySet[Result]:
    """The current results whose files name this paper."""
    ids = {paper.pwc_id or paper.slug, paper.slug}
    ids |= {paper.slug[:cut] for cut in range(SHORTEST_CUT_SLUG, len(paper.slug)) if paper.slug[cut] == "-"}
    every = Result.objects.order_by().values("pk")
    named = every.filter(pwc_id__in=ids)
    if paper.arxiv_id:
        # Two searches, each by its index: a database that counted how many results name no paper would read them all.
        named = named.union(every.filter(arxiv_id=paper.arxiv_id))
    return results_for(viewer).filter(CURRENT, pk__in=named).prefetch_related("figures")
