"""A leaderboard as an address asks for it: search, filters, order, columns."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass

from django.db.models import F, OuterRef, Q, QuerySet, Subquery

from sotabench.server.benchmarks.asking import TIERS, YES_NO, Asked, metric_key, orders
from sotabench.server.benchmarks.models import Metric, Result
from sotabench.server.benchmarks.ordered import Ordered
from sotabench.server.papers.models import ReportedFigure, ReportedResult
from sotabench.server.web.pages import Chosen

COLUMNS = {
    "paper": "Paper",
    "tier": "Tier",
    "parameters": "Parameters",
    "macs": "MACs",
    "speed": "Speed",
    "extra": "Extra data",
    "code": "Code",
    "date": "Date",
}
DEFAULT_COLUMNS = ("paper", "tier", "parameters", "code")
_WORDS = frozenset({"model", "paper", "tier", "extra", "code", "date", "source"})


@dataclass(frozen=True)
class Heading:
    """A column's head: its name, and the link that orders by it, unless nothing can be ordered by it."""

    key: str
    name: str
    link: str = ""
    order: str = ""

    @property
    def is_number(self) -> bool:
        """Whether the column holds numbers, which stand to the right."""
        return self.key not in _WORDS


@dataclass(frozen=True)
class _Listing(ABC):
    """What an address asks of a list of models: a search, and an order by one of its columns."""

    chosen: Chosen
    metrics: Sequence[Metric]

    @property
    def text(self) -> str:
        """What is searched for in names."""
        return self.chosen.text("q")

    @property
    @abstractmethod
    def sort(self) -> str:
        """By what it is ordered; `rank` at first."""

    @property
    def up(self) -> bool:
        """Whether the smallest comes first."""
        return self.chosen.query.get("sort", self.sort) == self.sort and self.chosen.query.get("order") == "up"

    def heading(self, key: str, name: str) -> Heading:
        """A head whose link orders by this column, or turns the order round."""
        is_now = self.sort == key
        up = not self.up if is_now else key == "model"
        order = ("ascending" if self.up else "descending") if is_now else ""
        return Heading(key, name, self.chosen.having(sort=key, order="up" if up else "down"), order)


class Board(_Listing):
    """What an address asks of a leaderboard."""

    @property
    def tier(self) -> str:
        """The only tier to show, or nothing."""
        return self.chosen.one_of("tier", TIERS)

    @property
    def extra(self) -> str:
        """`yes` or `no`: whether training with extra data is declared; or nothing."""
        return self.chosen.one_of("extra", ("", *YES_NO))

    @property
    def condition(self) -> str:
        """Device, precision and batch size under which a speed was measured: only then speeds are comparable."""
        return self.chosen.text("condition", 300)

    @property
    def sort(self) -> str:
        """By what it is ordered; `rank` at first."""
        return self.chosen.one_of("sort", orders(self.metrics, condition=self.condition))

    @property
    def is_plain(self) -> bool:
        """Whether it is the whole leaderboard from its top, in the order of the ranks."""
        page = self.chosen.query.get("page", "1")
        return self.sort == "rank" and not (self.up or self._asked.filters()) and page == "1"

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns beside model and metrics."""
        wanted = self.chosen.query.getlist("c")
        shown = tuple(key for key in COLUMNS if key in wanted) if wanted else DEFAULT_COLUMNS
        return (*shown, "speed") if self.condition and "speed" not in shown else shown

    def headings(self) -> list[Heading]:
        """The heads of the chosen columns, in the order of `COLUMNS`."""
        still = {"code", "paper", "tier", "extra"} | (set() if self.condition else {"speed"})
        return [
            Heading(key, name) if key in still else self.heading(key, name)
            for key, name in COLUMNS.items()
            if key in self.columns
        ]

    @property
    def model_heading(self) -> Heading:
        """The head of the models' names."""
        return self.heading("model", "Model")

    def metric_headings(self) -> list[Heading]:
        """The heads of the metrics."""
        return [self.heading(metric_key(metric), metric.name) for metric in self.metrics]

    def of(self, results: QuerySet[Result]) -> Ordered:
        """The keys of the results that are asked for, in the order that is asked for."""
        return self._asked.of(results, self.metrics)

    @property
    def _asked(self) -> Asked:
        return Asked(self.text, self.tier, self.extra, self.condition, self.sort, self.up)


class PaperBoard(_Listing):
    """What an address asks of the list of published figures."""

    @property
    def reporter(self) -> str:
        """Only what papers say, or only what catalogues say; or nothing."""
        return self.chosen.one_of("reporter", ("", *ReportedResult.Reporter.values))

    @property
    def sort(self) -> str:
        """By what it is ordered."""
        return self.chosen.one_of("sort", ["rank", "model", "year", "parameters", *self._by_metric()])

    def headings(self) -> list[Heading]:
        """All heads, in order."""
        metrics = [self.heading(metric_key(metric), metric.name) for metric in self.metrics]
        facts = [self.heading("parameters", "Parameters"), Heading("size", "Image size"), Heading("source", "Source")]
        return [
            self.heading("model", "Model"),
            *metrics,
            *facts,
            Heading("paper", "Paper"),
            self.heading("year", "Year"),
        ]

    def of(self, rows: QuerySet[ReportedResult]) -> QuerySet[ReportedResult]:
        """The rows that are asked for, in the order that is asked for."""
        if self.text:
            rows = rows.filter(Q(model_name__icontains=self.text) | Q(paper__title__icontains=self.text))
        if self.reporter:
            rows = rows.filter(reporter=self.reporter)
        fields = {"rank": "rank_value", "model": "model_name", "year": "paper__year", "parameters": "parameters"}
        if self.sort in fields:
            field = F(fields[self.sort])
        else:
            figures = ReportedFigure.objects.filter(result=OuterRef("pk"), metric=self._by_metric()[self.sort])
            rows, field = rows.annotate(sorted_by=Subquery(figures.values("value")[:1])), F("sorted_by")
        return rows.order_by(field.asc(nulls_last=True) if self.up else field.desc(nulls_last=True), "id")

    def _by_metric(self) -> dict[str, str]:
        return {metric_key(metric): metric.name for metric in self.metrics}
