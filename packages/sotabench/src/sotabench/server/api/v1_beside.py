"""A result with what its page shows beside it: rank, the paper's figures and verdicts, catalogues, ties, plots."""

import json
from typing import Any, Literal

from django.db.models import QuerySet
from ninja import Field, Schema

from benchrecord import printable
from sotabench.server.api.gate import Text
from sotabench.server.api.paging import Pages
from sotabench.server.api.v1_shapes import ReportedOut, ResultOut
from sotabench.server.benchmarks.asking import Asked, orders
from sotabench.server.benchmarks.matching import PaperSide, beside_papers
from sotabench.server.benchmarks.models import Metric, Result
from sotabench.server.benchmarks.ordered import Ordered
from sotabench.server.benchmarks.queries import UNREAD, with_figures
from sotabench.server.benchmarks.ranks import global_ranks, public_rank
from sotabench.server.benchmarks.verdicts import Comparison, Verdict
from sotabench.server.by_keys import in_order, keys_of
from sotabench.server.errors import Invalid


class ComparisonOut(Schema):
    """One metric, measured and published, all numbers in the metric's own unit."""

    metric: str
    measured: float
    low: float | None
    high: float | None
    published: float
    published_text: str
    difference: float = Field(description="measured minus published; of a fraction, 0.01 is one point")
    verdict: Verdict
    reason: str = Field(description="why it is not comparable, else empty")

    @staticmethod
    def resolve_low(found: Comparison) -> float | None:
        """The lower end of the measured figure's 95 % interval."""
        return found.interval[0] if found.interval else None

    @staticmethod
    def resolve_high(found: Comparison) -> float | None:
        """Its upper end."""
        return found.interval[1] if found.interval else None


class PublishedOut(Schema):
    """A published row, and the result's figures beside it."""

    row: ReportedOut
    comparisons: list[ComparisonOut]
    holds: bool


class BesideOut(Schema):
    """Whether the result reproduces what is published: `holds` is the tick."""

    match: str = Field(description="no_paper, paper_unknown, model_not_reported, several or matched")
    explanation: str
    paper: str | None
    published_name: str | None = Field(description="what the paper calls the model")
    by: str | None = Field(description="whose figures are compared: those of the paper, or of the file's author")
    comparisons: list[ComparisonOut]
    holds: bool

    @staticmethod
    def resolve_match(found: PaperSide) -> str:
        """How the result meets its paper."""
        return found.match.name.lower()

    @staticmethod
    def resolve_explanation(found: PaperSide) -> str:
        """The same as a sentence."""
        return found.match.value

    @staticmethod
    def resolve_paper(found: PaperSide) -> str | None:
        """The paper's address."""
        return found.paper.slug if found.paper else None

    @staticmethod
    def resolve_published_name(found: PaperSide) -> str | None:
        """The name of the paper's own row, when there is one."""
        return found.published.row.model_name if found.published else None


class WholeBesideOut(BesideOut):
    """All that is published about the model."""

    published: PublishedOut | None = Field(description="the paper's own row for this model")
    candidates: list[ReportedOut] = Field(description="the paper's rows that may be meant; nothing is guessed")
    by_author: list[ComparisonOut] = Field(description="with what the file's author reports")
    catalogues: list[PublishedOut] = Field(description="what catalogues publish under this name")
    reported_models: list[str] = Field(description="the models that the paper reports")


class RankedResultOut(ResultOut):
    """A result with its place among the current public ones of its benchmark, and the paper's side."""

    rank: int | None
    beside: BesideOut


class WholeResultOut(ResultOut):
    """A result with its record as it came, and all that is published beside it."""

    rank: int | None
    beside: WholeBesideOut
    record: dict[str, Any]

    @staticmethod
    def resolve_record(found: Result) -> Any:
        """The record's JSON."""
        return json.loads(found.record)


class TieOut(Schema):
    """A result and its letters: results that share one are a statistical tie."""

    result: int
    model_name: str
    letters: list[str]


class CountsOut(Schema):
    """On how many images both, one or neither was right; `difference` is the first's accuracy less the second's."""

    both: int
    only_first: int
    only_second: int
    neither: int
    difference: float
    low: float
    high: float
    p_value: float
    is_tie: bool


class ComparedOut(Schema):
    """Two results image by image; `images` is null where predictions or labels for exactly their images are missing."""

    first: int
    second: int
    images: CountsOut | None


class PointOut(Schema):
    """One model of the plot: `y` is its figure, `x` its parameters or its paper's year."""

    kind: str = Field(description="own, paper or catalogue")
    name: str
    x: float
    y: float
    result: int | None
    paper: str | None


class PlotOut(Schema):
    """What the plot draws: the best results and published figures that say both numbers."""

    metric: str | None
    against: str
    points: list[PointOut]


class ResultPages(Pages):
    """Pages of results, each with its rank and its paper's side, for a fixed number of queries a page."""

    def rows(self, queryset: Any, part: slice) -> list[Any]:
        """The results of one page, with all that is told of them."""
        shown = with_figures().select_related("benchmark__variant_of", "carried_from__build")
        shown = shown.defer(*UNREAD).prefetch_related("benchmark__metrics")
        return with_sides(in_order(shown, self.keys(queryset, part)))

    def keys(self, queryset: Any, part: slice) -> list[int]:
        """The keys of one page."""
        return list(keys_of(queryset)[part])


class LeaderboardPages(ResultPages):
    """The same of results that are in an order already."""

    def keys(self, queryset: Ordered, part: slice) -> list[int]:
        """The keys of one page."""
        return queryset[part]


class LeaderboardIn(Schema):
    """What is asked of a leaderboard."""

    search: Text = Field("", description="looked for in the names of models and repositories")
    tier: Literal["", "verified", "self-reported"] = ""
    extra: Literal["", "yes", "no"] = Field("", description="whether training with extra data is declared")
    condition: Text = Field("", description="what a speed was measured under: device / precision / batch size")
    sort: Text = Field(
        "rank",
        description="rank, model, date, parameters, macs, m1 (the second metric) and so on; speed with a condition",
    )
    order: Literal["down", "up"] = Field("down", description="the largest first, or the smallest")

    def of(self, results: QuerySet[Result], metrics: list[Metric]) -> Ordered:
        """The keys of these results as they are asked for. Raises Invalid for an order that there is none of."""
        if self.sort not in (known := orders(metrics, condition=self.condition)):
            raise Invalid(f"expected a sort among {', '.join(known)}, found {printable(self.sort, 40)!r}")
        asked = Asked(self.search, self.tier, self.extra, self.condition, self.sort, self.order == "up")
        return asked.of(results, metrics)


def with_sides(results: list[Result]) -> list[Result]:
    """The results, now with `rank` and `beside`, as if the query had brought them along."""
    sides, ranks = beside_papers(results), global_ranks(results)
    for result in results:
        vars(result).update(rank=public_rank(result, ranks), beside=sides[result.pk])
    return results
