"""How builds and runners stand, for Prometheus: counted when it asks, so that nothing has to be kept up."""

from collections.abc import Iterator
from functools import cache

from django.db import DatabaseError
from django.db.models import Count, Min
from django.utils import timezone
from prometheus_client.core import REGISTRY, GaugeMetricFamily
from prometheus_client.registry import Collector

from sotabench.server.builds.models import Attempt, Build, Runner


class BuildsCollector(Collector):
    """Four queries an answer."""

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """The gauges now; without a database that alone, and what is counted elsewhere is told all the same."""
        try:
            found = list(self._ask())
        except DatabaseError:
            found = []
        yield GaugeMetricFamily("sotabench_database_up", "1 while the database answers", int(bool(found)))
        yield from found

    def _ask(self) -> Iterator[GaugeMetricFamily]:
        builds = GaugeMetricFamily("sotabench_builds", "Builds by status", labels=["status"])
        counted = dict(Build.objects.order_by().values_list("status").annotate(Count("pk")))
        for status in Build.Status.values:
            builds.add_metric([status], counted.get(status, 0))
        yield builds
        first = Build.objects.filter(status=Build.Status.QUEUED).aggregate(first=Min("created_at"))["first"]
        waited = (timezone.now() - first).total_seconds() if first else 0
        yield GaugeMetricFamily("sotabench_longest_wait_seconds", "Age of the oldest build that waits", waited)
        running = Attempt.objects.filter(ended_at=None).order_by().values_list("stage").annotate(Count("pk"))
        stages = GaugeMetricFamily("sotabench_builds_running", "Builds that run, by stage", labels=["stage"])
        for stage, count in running:
            stages.add_metric([stage], count)
        yield stages
        seen = GaugeMetricFamily("sotabench_runner_seen_seconds", "Since a runner was heard of", labels=["runner"])
        for runner in Runner.objects.filter(revoked_at=None):
            if runner.seen_at:
                seen.add_metric([runner.name], (timezone.now() - runner.seen_at).total_seconds())
        yield seen

    def describe(self) -> list[GaugeMetricFamily]:
        """Nothing beforehand: the database need not be there when this is registered."""
        return []


@cache
def register() -> None:
    """Have the gauges answered from now on, once in a process."""
    REGISTRY.register(BuildsCollector())
