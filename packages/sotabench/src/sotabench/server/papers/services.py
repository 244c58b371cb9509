"""What happens to papers: they become known, and more becomes known of them."""

import hashlib
from collections.abc import Iterable

from django.db.models import Q

from sotabench.server.papers.formats.row import PaperFacts
from sotabench.server.papers.models import Paper
from sotabench.server.papers.slugs import title_slug


def know_papers(facts: Iterable[PaperFacts]) -> dict[PaperFacts, Paper]:
    """The paper of each of the facts, made where it is new; what was not known of an old one is filled in.

    A paper is found by its arXiv id, else by its id at Papers With Code, else by its title, unless the arXiv ids
    differ: two papers may have one title. Whoever calls holds the transaction.
    """
    wanted = list(dict.fromkeys(facts))
    known = _Known(wanted)
    return {fact: known.paper_of(fact) for fact in wanted}


class _Known:
    """The papers that some facts may be about, looked up at once."""

    def __init__(self, facts: list[PaperFacts]) -> None:
        found = Paper.objects.filter(
            Q(arxiv_id__in={fact.arxiv_id for fact in facts if fact.arxiv_id})
            | Q(pwc_id__in={fact.pwc_id for fact in facts if fact.pwc_id})
            | Q(slug__in={title_slug(fact.title) for fact in facts})
        )
        self._by_arxiv: dict[str, Paper] = {}
        self._by_pwc: dict[str, Paper] = {}
        self._by_slug: dict[str, Paper] = {}
        for paper in found:
            self._remember(paper)

    def paper_of(self, fact: PaperFacts) -> Paper:
        paper = self._by_arxiv.get(fact.arxiv_id) or self._by_pwc.get(fact.pwc_id) or self._of_title(fact)
        if paper is None:
            paper = Paper(title=fact.title, slug=self._free_slug(fact))
        if _learn(paper, fact):
            paper.save()
        self._remember(paper)
        return paper

    def _of_title(self, fact: PaperFacts) -> Paper | None:
        paper = self._by_slug.get(title_slug(fact.title))
        if paper is None or (paper.arxiv_id and fact.arxiv_id):
            return None
        return paper

    def _free_slug(self, fact: PaperFacts) -> str:
        """The title's; with the arXiv id where another paper has that, and with digits where another title is that."""
        slug = title_slug(fact.title)
        if slug not in self._by_slug:
            return slug
        longer = f"{slug}-{fact.arxiv_id.replace('.', '-').replace('/', '-')}"
        if not (longer in self._by_slug or Paper.objects.filter(slug=longer).exists()):
            return longer
        return f"{longer}-{hashlib.sha256(fact.title.encode()).hexdigest()[:8]}"

    def _remember(self, paper: Paper) -> None:
        self._by_slug[paper.slug] = paper
        if paper.arxiv_id:
            self._by_arxiv[paper.arxiv_id] = paper
        if paper.pwc_id:
            self._by_pwc[paper.pwc_id] = paper


def _learn(paper: Paper, fact: PaperFacts) -> bool:
    """Fill in what was not known; whether there is anything to save."""
    news = {
        field: value
        for field in ("arxiv_id", "pwc_id", "year", "published_on")
        if (value := getattr(fact, field)) and not getattr(paper, field)
    }
    for field, value in news.items():
        setattr(paper, field, value)
    return bool(news) or paper.pk is None
