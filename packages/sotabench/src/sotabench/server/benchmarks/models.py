"""Benchmarks, and the results that models reached on them. A result is never edited, only superseded."""

from typing import ClassVar

from django.db import models
from django.db.models import F, Q

from sotabench.server.builds.models import Build
from sotabench.server.repositories.models import Repository


class Tier(models.TextChoices):
    """Who stands behind a figure."""

    VERIFIED = "verified", "run and scored by this site"
    DECLARED = "declared", "said by the repository's own process"
    SELF_REPORTED = "self-reported", "submitted by the repository's owner"


class Benchmark(models.Model):
    """A task on a data set. A variant is the same task on a part of the set, or on another version of it."""

    task = models.CharField(max_length=100)
    dataset = models.CharField(max_length=200, help_text="as people call it")
    slug = models.SlugField(max_length=250, unique=True)
    dataset_version = models.CharField(max_length=100, blank=True)
    fingerprint = models.CharField(max_length=64, blank=True, help_text="SHA-256 over the images; empty: any")
    size = models.PositiveIntegerField(
        null=True, blank=True, help_text="images that have to be answered; empty: not known"
    )
    labels = models.FileField(max_length=200, blank=True, help_text="the right class of every image; never shown")
    variant_of = models.ForeignKey("self", on_delete=models.PROTECT, null=True, blank=True, related_name="variants")
    why_variant = models.CharField(max_length=200, blank=True, help_text="why it cannot be compared with the whole")
    is_listed = models.BooleanField(default=True, help_text="whether the front page and the search show it")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering: ClassVar = ["task", "dataset", "id"]
        constraints: ClassVar = [
            models.UniqueConstraint("task", "dataset", condition=Q(variant_of=None), name="benchmark_once"),
            models.UniqueConstraint("variant_of", "dataset", "fingerprint", name="variant_once"),
            models.CheckConstraint(
                condition=Q(variant_of=None, why_variant="") | (Q(variant_of__isnull=False) & ~Q(why_variant="")),
                name="variant_says_why",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.task} on {self.dataset}"


class DataCopy(models.Model):
    """A benchmark's images as builds see them: under numbers of this site's own, their classes drawn anew.

    `folder` is below the site's data folder; `numbers` says which image is which, and is never shown.
    """

    benchmark = models.OneToOneField(Benchmark, on_delete=models.PROTECT, related_name="copy")
    dataset_name = models.CharField(max_length=100, unique=True, help_text="as records name the data set")
    folder = models.CharField(max_length=300)
    numbers = models.FileField(max_length=200, help_text="the id of every image by the name that builds see")
    fingerprint = models.CharField(max_length=64, help_text="SHA-256 over the images")
    samples = models.PositiveIntegerField()
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        verbose_name_plural = "data copies"
        ordering: ClassVar = ["dataset_name"]

    def __str__(self) -> str:
        return f"{self.benchmark}, {self.samples} images"


class Metric(models.Model):
    """A number by which a benchmark's models are compared; the one at position 0 ranks."""

    benchmark = models.ForeignKey(Benchmark, on_delete=models.CASCADE, related_name="metrics")
    name = models.CharField(max_length=100)
    position = models.PositiveSmallIntegerField()
    higher_is_better = models.BooleanField(default=True)
    is_fraction = models.BooleanField(default=True, help_text="from 0 to 1, shown in percent")

    class Meta:
        ordering: ClassVar = ["position"]
        constraints: ClassVar = [
            models.UniqueConstraint("benchmark", "name", name="metric_once"),
            models.UniqueConstraint("benchmark", "position", name="metric_position_once"),
        ]

    def __str__(self) -> str:
        return self.name


_STANDS = Q(superseded_by=None, rank_value__isnull=False)
_ASKED_FOR = ("repository", "tier", "extra_training_data", "speed_condition", "search_name")


def _in_order_of(*fields: str, name: str) -> models.Index:
    """An index of every leaderboard in an order, which answers search and filters alone.

    SQLite knows that only where the fields of the condition are in it as well.
    """
    more = (*_ASKED_FOR, "rank_value", "superseded_by")
    taken = {field.lstrip("-") for field in fields}
    kept = ["benchmark", *fields, "id", *(field for field in more if field not in taken)]
    return models.Index(fields=kept, name=name, condition=_STANDS)


class Result(models.Model):
    """What one model, at one commit of a repository, reached on one benchmark. Written once.

    `record` is the record's JSON as it came. `superseded_by` is the later result of the same repository, benchmark and
    model that took its place; a current result has none. From `search_name` to `speed_condition` it repeats what its
    name and figures say, so that an index can order a leaderboard by it; `sort_keys.sort_keys` fills them.
    """

    build = models.ForeignKey(Build, on_delete=models.CASCADE, related_name="results")
    repository = models.ForeignKey(Repository, on_delete=models.CASCADE, related_name="results")
    benchmark = models.ForeignKey(Benchmark, on_delete=models.PROTECT, related_name="results")
    model_name = models.CharField(max_length=300)
    model_key = models.CharField(max_length=300)
    tier = models.CharField(max_length=20, choices=Tier, help_text="of the figures of the benchmark's metrics")
    rank_value = models.FloatField(null=True, help_text="the benchmark's first metric, the higher the better")
    samples = models.PositiveIntegerField(null=True)
    arxiv_id = models.CharField(max_length=200, blank=True, help_text="as the record says")
    pwc_id = models.CharField(max_length=200, blank=True, help_text="as the record says")
    extra_training_data = models.BooleanField(null=True, help_text="as the record declares")
    record = models.TextField()
    record_sha256 = models.CharField(max_length=64)
    predictions = models.FileField(max_length=200, blank=True)
    predictions_sha256 = models.CharField(max_length=64, blank=True)
    stored_bytes = models.PositiveBigIntegerField(default=0, help_text="of its record and predictions")
    call_key = models.CharField(
        max_length=64, blank=True, help_text="SHA-256 of model and arguments; of a build's call"
    )
    carried_from = models.ForeignKey(
        "self", on_delete=models.SET_NULL, null=True, blank=True, related_name="+", help_text="where it was measured"
    )
    superseded_by = models.ForeignKey(
        "self", on_delete=models.SET_NULL, null=True, blank=True, related_name="earlier", db_index=False
    )
    created_at = models.DateTimeField(auto_now_add=True)
    search_name = models.CharField(max_length=300, blank=True, help_text="the model's name without upper case")
    second_value = models.FloatField(null=True, help_text="the figure of the benchmark's second metric")
    parameters = models.FloatField(null=True, help_text="as declared")
    macs = models.FloatField(null=True, help_text="as declared")
    speed = models.FloatField(null=True, help_text="samples a second, as declared")
    speed_condition = models.CharField(max_length=32, blank=True, help_text="key of what it was measured under")

    class Meta:
        ordering: ClassVar = ["-id"]
        constraints: ClassVar = [
            models.UniqueConstraint("build", "record_sha256", name="record_once_a_build"),
            models.CheckConstraint(condition=Q(tier__in=["verified", "self-reported"]), name="result_tier_is_known"),
            models.CheckConstraint(
                condition=Q(superseded_by=None) | ~Q(superseded_by=F("id")), name="result_not_superseded_by_itself"
            ),
        ]
        indexes: ClassVar = [
            _in_order_of("-rank_value", name="leaderboard"),
            # The same without what filters need: for counting, and for places.
            models.Index(
                fields=["benchmark", "-rank_value", "repository", "superseded_by"], name="places", condition=_STANDS
            ),
            _in_order_of("second_value", name="leaderboard_by_second"),
            _in_order_of("parameters", name="leaderboard_by_parameters"),
            _in_order_of("macs", name="leaderboard_by_macs"),
            _in_order_of("speed_condition", "speed", name="leaderboard_by_speed"),
            _in_order_of("model_name", name="leaderboard_by_model"),
            _in_order_of("created_at", name="leaderboard_by_date"),
            models.Index(fields=["repository", "benchmark", "model_name"], name="results_of_a_model"),
            # Without the current results, which are most: no database takes it for the quick way to find those.
            models.Index(fields=["superseded_by"], name="earlier_results", condition=Q(superseded_by__isnull=False)),
            models.Index(fields=["arxiv_id"], name="results_of_a_paper"),
            models.Index(fields=["pwc_id"], name="results_of_a_paper_by_pwc"),
        ]

    def __str__(self) -> str:
        return f"{self.model_name} on {self.benchmark}"


class Figure(models.Model):
    """One number of a result, with its own tier.

    `condition` names what it was measured under, where that decides whether two can be compared: for a speed the
    device, the precision and the batch size.
    """

    result = models.ForeignKey(Result, on_delete=models.CASCADE, related_name="figures")
    name = models.CharField(max_length=100)
    value = models.FloatField()
    low = models.FloatField(null=True, help_text="95 % interval")
    high = models.FloatField(null=True)
    tier = models.CharField(max_length=20, choices=Tier)
    condition = models.CharField(max_length=300, blank=True)

    class Meta:
        ordering: ClassVar = ["id"]
        constraints: ClassVar = [
            models.UniqueConstraint("result", "name", name="figure_once"),
            models.CheckConstraint(
                condition=Q(low=None, high=None) | Q(low__isnull=False, high__isnull=False, low__lte=F("high")),
                name="interval_has_two_ends_in_order",
            ),
            models.CheckConstraint(
                condition=Q(tier__in=["verified", "declared", "self-reported"]), name="figure_tier_is_known"
            ),
        ]
        indexes: ClassVar = [models.Index(fields=["name", "value"], name="figures_by_value")]

    def __str__(self) -> str:
        return f"{self.name} {self.value}"
