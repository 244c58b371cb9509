"""What can be asked about papers and what they report."""

from collections.abc import Iterable, Sequence
from functools import reduce
from operator import or_

from django.db.models import Q, QuerySet

from sotabench.server.errors import NotFound
from sotabench.server.papers.models import Paper, ReportedResult

# Papers With Code cut an address at a word's end after some fifty letters: a shorter one is no cut title.
SHORTEST_CUT_SLUG = 30

# SQLite takes an expression of at most 1,000 levels, and each alternative is one.
_BEGINNINGS_AT_ONCE = 400


def paper_by_slug(slug: str) -> Paper:
    """The paper at an address; an address of Papers With Code works too. Raises NotFound."""
    papers = list(Paper.objects.filter(Q(slug=slug) | Q(pwc_id=slug))[:2])
    if papers:
        return next((paper for paper in papers if paper.slug == slug), papers[0])
    raise NotFound(f"expected a paper, found none at {slug[:200]!r}")


def reported_on(benchmark: str) -> QuerySet[ReportedResult]:
    """What papers and catalogues report on the benchmark of this slug, best first, with figures and papers."""
    ranked = ReportedResult.objects.filter(benchmark=benchmark, rank_value__isnull=False)
    return ranked.select_related("paper").prefetch_related("figures").order_by("-rank_value", "id")


def reported_by(paper: Paper) -> QuerySet[ReportedResult]:
    """What the paper itself reports, on all benchmarks."""
    rows = ReportedResult.objects.filter(paper=paper, reporter=ReportedResult.Reporter.PAPER)
    return rows.prefetch_related("figures").order_by("benchmark", "-rank_value", "id")


def papers_of(arxiv_ids: Iterable[str], pwc_ids: Iterable[str]) -> tuple[dict[str, Paper], dict[str, Paper]]:
    """The known papers of these ids, by arXiv id and by the id that was asked for at Papers With Code.

    An id of Papers With Code is the beginning of the title: where no paper has it, the one paper whose title begins so
    is meant; of two, neither. Two queries, and one more for every few hundred ids that no paper has.
    """
    by_arxiv = {paper.arxiv_id: paper for paper in Paper.objects.filter(arxiv_id__in=set(arxiv_ids))}
    wanted = {pwc_id for pwc_id in pwc_ids if pwc_id}
    by_pwc = _named(wanted) if wanted else {}
    cut = sorted(pwc_id for pwc_id in wanted - by_pwc.keys() if len(pwc_id) >= SHORTEST_CUT_SLUG)
    for start in range(0, len(cut), _BEGINNINGS_AT_ONCE):
        by_pwc |= _beginning(cut[start : start + _BEGINNINGS_AT_ONCE])
    return {arxiv: paper for arxiv, paper in by_arxiv.items() if arxiv}, by_pwc


def _named(wanted: set[str]) -> dict[str, Paper]:
    """The papers of which this is the id, else of which it is the whole title; one query."""
    papers = list(Paper.objects.filter(Q(pwc_id__in=wanted) | Q(slug__in=wanted)))
    by_slug = {paper.slug: paper for paper in papers if paper.slug in wanted}
    return by_slug | {paper.pwc_id: paper for paper in papers if paper.pwc_id and paper.pwc_id in wanted}


def _beginning(cut: Sequence[str]) -> dict[str, Paper]:
    """The papers whose title alone begins so; one query."""
    papers = list(Paper.objects.filter(reduce(or_, (Q(slug__startswith=f"{pwc_id}-") for pwc_id in cut))))
    found = {pwc_id: [paper for paper in papers if paper.slug.startswith(f"{pwc_id}-")] for pwc_id in cut}
    return {pwc_id: meant[0] for pwc_id, meant in found.items() if len(meant) == 1}


def rows_of(papers: Iterable[Paper], benchmarks: Iterable[str]) -> list[ReportedResult]:
    """What these papers themselves report on these benchmarks, with figures; two queries."""
    rows = ReportedResult.objects.filter(
        paper__in=list(papers), benchmark__in=set(benchmarks), reporter=ReportedResult.Reporter.PAPER
    )
    return list(rows.select_related("paper").prefetch_related("figures").order_by("id"))


def catalogue_rows(model_keys: Iterable[str], benchmarks: Iterable[str]) -> list[ReportedResult]:
    """What catalogues report of models or architectures spelt so, in the order of the catalogues; two queries."""
    keys = {key for key in model_keys if key}
    rows = ReportedResult.objects.filter(
        Q(model_key__in=keys) | Q(architecture_key__in=keys),
        benchmark__in=set(benchmarks),
        reporter=ReportedResult.Reporter.CATALOGUE,
    )
    return list(rows.select_related("paper").prefetch_related("figures").order_by("id"))
