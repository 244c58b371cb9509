"""What somebody asks of a leaderboard, by a page's address or by the API: search, filters, order."""

from collections.abc import Sequence
from dataclasses import dataclass

from django.db.models import OuterRef, Q, QuerySet, Subquery

from sotabench.server.benchmarks.models import Figure, Metric, Result, Tier
from sotabench.server.benchmarks.ordered import Ordered
from sotabench.server.benchmarks.sort_keys import condition_key, folded
from sotabench.server.repositories.models import Repository

TIERS = ("", Tier.VERIFIED.value, Tier.SELF_REPORTED.value)
YES_NO = {"yes": True, "no": False}
_FEW = 20_000  # keys that are read at once where a text is searched for: sooner than to search for count and page apart
_SAME_NAME = {name: name for name in ("parameters", "macs")}
_FIELDS = {"rank": "rank_value", "model": "model_name", "date": "created_at", **_SAME_NAME}
_SPEED = "speed"


def metric_key(metric: Metric) -> str:
    """How the metric is named where one orders by it; the first is what ranks."""
    return f"m{metric.position}" if metric.position else "rank"


def orders(metrics: Sequence[Metric], *, condition: str = "") -> list[str]:
    """By what the results can be ordered; by speed only where all are measured under one condition."""
    known = [*_FIELDS, *(key for key in map(metric_key, metrics) if key != "rank")]
    return [*known, _SPEED] if condition else known


@dataclass(frozen=True)
class Asked:
    """All of it; `text` is looked for in the names of models and repositories, empty words ask for nothing.

    `tier` is one of `TIERS`, `extra` a key of `YES_NO`, `condition` what a speed was measured under, `sort` one of
    `orders`; `up` puts the smallest first.
    """

    text: str = ""
    tier: str = ""
    extra: str = ""
    condition: str = ""
    sort: str = "rank"
    up: bool = False

    def of(self, results: QuerySet[Result], metrics: Sequence[Metric]) -> Ordered:
        """The keys of these results that are asked for, in the order that is asked for."""
        found = results.filter(self.filters())
        fields = _FIELDS | {metric_key(metric): "second_value" for metric in metrics[1:2]} | {_SPEED: "speed"}
        field = fields.get(self.sort, "sorted_by")  # a third metric and those after it have no field
        if field == "sorted_by":
            metric = next(metric for metric in metrics if metric_key(metric) == self.sort)
            figures = Figure.objects.filter(result=OuterRef("pk"), name=metric.name)
            found = found.annotate(sorted_by=Subquery(figures.values("value")[:1]))
        return Ordered(found, field, up=self.up, few=_FEW if self.text else 0)

    def filters(self) -> Q:
        """What a result has to be like."""
        wanted = Q()
        if self.text:
            in_repository = Q(name__icontains=self.text) | Q(owner_name__icontains=self.text)
            named = Repository.objects.filter(in_repository).values("pk")
            wanted &= Q(search_name__contains=folded(self.text)) | Q(repository__in=named)
        if self.tier:
            wanted &= Q(tier=self.tier)
        if self.extra:
            wanted &= Q(extra_training_data=YES_NO[self.extra])
        if self.condition:
            wanted &= Q(speed_condition=condition_key(self.condition))
        return wanted
