"""Papers, and what papers and catalogues of models report; none of it was measured here."""

from typing import ClassVar

from django.db import models


class Paper(models.Model):
    """A paper, known by its arXiv id, by its address at Papers With Code, or by its title alone."""

    title = models.CharField(max_length=500)
    slug = models.SlugField(max_length=200, unique=True)
    arxiv_id = models.CharField(max_length=20, null=True, blank=True, unique=True)
    pwc_id = models.CharField(max_length=200, null=True, blank=True, unique=True)
    year = models.PositiveSmallIntegerField(null=True, blank=True)
    published_on = models.DateField(null=True, blank=True)

    class Meta:
        ordering: ClassVar = ["title", "id"]

    def __str__(self) -> str:
        return self.title

    @property
    def arxiv_url(self) -> str:
        """Its page at arXiv, or nothing."""
        return f"https://arxiv.org/abs/{self.arxiv_id}" if self.arxiv_id else ""


class ReportedResult(models.Model):
    """What a paper or a catalogue says that a model reaches. `benchmark` is the slug of `benchmarks.Benchmark`.

    A catalogue's row may be about a paper's architecture, but it is not the paper that reports it.
    """

    class Reporter(models.TextChoices):
        """Who says so."""

        PAPER = "paper", "reported by the paper"
        CATALOGUE = "catalogue", "reported by a catalogue"

    reporter = models.CharField(max_length=10, choices=Reporter)
    catalogue = models.CharField(
        max_length=40, help_text="the list that the row comes from: paper, torchvision, timm..."
    )
    source = models.CharField(max_length=300, blank=True, help_text="the file or page of the catalogue")
    paper = models.ForeignKey(Paper, on_delete=models.CASCADE, null=True, blank=True, related_name="reported")
    task = models.CharField(max_length=100)
    dataset = models.CharField(max_length=200)
    benchmark = models.CharField(max_length=250, db_index=True)
    model_name = models.CharField(max_length=300)
    model_key = models.CharField(max_length=300, db_index=True)
    architecture_key = models.CharField(max_length=300, db_index=True)
    image_size = models.CharField(max_length=10, blank=True)
    parameters = models.BigIntegerField(null=True, blank=True)
    gflops = models.FloatField(null=True, blank=True)
    extra_training_data = models.BooleanField(null=True, blank=True)
    rank_value = models.FloatField(
        null=True, blank=True, help_text="the benchmark's first metric, the higher the better"
    )

    class Meta:
        ordering: ClassVar = ["id"]
        constraints: ClassVar = [
            models.UniqueConstraint(
                "benchmark", "catalogue", "model_name", "image_size", "source", name="reported_once_a_source"
            ),
        ]
        indexes: ClassVar = [models.Index(fields=["benchmark", "-rank_value", "id"], name="reported_by_rank")]

    def __str__(self) -> str:
        return self.model_name


class ReportedFigure(models.Model):
    """One number as it was published: `text` keeps the digits that were given, `value` is the number."""

    result = models.ForeignKey(ReportedResult, on_delete=models.CASCADE, related_name="figures")
    metric = models.CharField(max_length=100)
    text = models.CharField(max_length=40)
    value = models.FloatField()
    step = models.FloatField(help_text="what one more in the last published digit is worth, in the unit of `value`")

    class Meta:
        ordering: ClassVar = ["id"]
        constraints: ClassVar = [
            models.UniqueConstraint("result", "metric", name="reported_figure_once"),
            models.CheckConstraint(condition=models.Q(step__gt=0), name="reported_step_is_positive"),
        ]

    def __str__(self) -> str:
        return f"{self.metric} {self.text}"
