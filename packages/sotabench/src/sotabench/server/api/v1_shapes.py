"""What `/api/v1/` answers: one class for each noun. Fractions stay fractions, times are ISO 8601 in UTC."""

from datetime import datetime
from typing import Any

from ninja import Field, Schema

from sotabench.server.benchmarks.models import Benchmark, Result
from sotabench.server.builds.models import Build
from sotabench.server.papers.models import ReportedResult
from sotabench.server.repositories.models import Repository


class MetricOut(Schema):
    """A number by which models are compared."""

    name: str
    higher_is_better: bool
    is_fraction: bool


class BenchmarkOut(Schema):
    """A task on a data set; the first metric ranks."""

    slug: str
    task: str
    dataset: str
    dataset_version: str
    fingerprint: str
    size: int | None
    variant_of: str | None
    why_variant: str
    metrics: list[MetricOut]
    result_count: int | None = Field(None, description="current results that the asker may see; only in the list")
    reported_count: int | None = Field(None, description="what papers and catalogues report; only in the list")

    @staticmethod
    def resolve_variant_of(found: Benchmark) -> str | None:
        """The address of the whole benchmark."""
        return found.variant_of.slug if found.variant_of else None

    @staticmethod
    def resolve_metrics(found: Benchmark) -> list[Any]:
        """In the order of their weight."""
        return list(found.metrics.all())


class RepositoryOut(Schema):
    """A git repository; `username` is who answers for it on this site."""

    id: int
    host: str
    name: str
    address: str
    username: str
    default_branch: str
    is_public: bool
    build_enabled: bool

    @staticmethod
    def resolve_name(found: Repository) -> str:
        """As `owner/name`."""
        return str(found)

    @staticmethod
    def resolve_username(found: Repository) -> str:
        """The owner's name."""
        return found.owner.username


class UserRepositoryOut(RepositoryOut):
    """A repository on its owner's page."""

    result_count: int = Field(description="its current results")


class UserOut(Schema):
    """A user of this site."""

    username: str
    repository_count: int = Field(description="those that the asker may see")


class BuildOut(Schema):
    """What was made of one commit; `number` counts in its repository."""

    number: int
    commit: str
    branch: str
    origin: str
    status: str
    reason: str
    requested_by: str | None
    created_at: datetime
    changed_at: datetime

    @staticmethod
    def resolve_requested_by(found: Build) -> str | None:
        """Who asked for it, while there is such an account."""
        return found.requested_by.username if found.requested_by else None


class DatasetOut(Schema):
    """A file that a repository's builds find below its `.data/`."""

    path: str
    size: int
    sha256: str
    created_at: datetime


class LogOut(Schema):
    """Some of a build's log; the platform's own lines begin with `#`."""

    text: str
    next: int
    is_over: bool
    status: str
    stage: str


class FigureOut(Schema):
    """One number, with its own tier; `low` and `high` are the ends of its 95 % interval."""

    name: str
    value: float
    low: float | None
    high: float | None
    tier: str
    condition: str


class ResultOut(Schema):
    """What one model, at one commit, reached on one benchmark."""

    id: int
    model_name: str
    benchmark: str
    repository: str
    build: int
    commit: str
    tier: str
    samples: int | None
    arxiv_id: str
    pwc_id: str
    extra_training_data: bool | None
    superseded_by: int | None
    carried_from: int | None
    created_at: datetime
    figures: list[FigureOut]

    @staticmethod
    def resolve_benchmark(found: Result) -> str:
        """Its address."""
        return found.benchmark.slug

    @staticmethod
    def resolve_repository(found: Result) -> str:
        """As `host/owner/name`."""
        return f"{found.repository.host}/{found.repository}"

    @staticmethod
    def resolve_build(found: Result) -> int:
        """The build's number."""
        return found.build.number

    @staticmethod
    def resolve_commit(found: Result) -> str:
        """The commit that was evaluated."""
        return found.build.commit

    @staticmethod
    def resolve_superseded_by(found: Result) -> int | None:
        """The later result that took its place."""
        return found.superseded_by_id

    @staticmethod
    def resolve_carried_from(found: Result) -> int | None:
        """The earlier result that was carried over, where nothing was evaluated again."""
        return found.carried_from_id

    @staticmethod
    def resolve_figures(found: Result) -> list[Any]:
        """As they were fetched along."""
        return list(found.figures.all())


class PaperOut(Schema):
    """A paper."""

    slug: str
    title: str
    arxiv_id: str | None
    pwc_id: str | None
    year: int | None


class ReportedFigureOut(Schema):
    """A number as it was published."""

    metric: str
    text: str
    value: float


class ReportedOut(Schema):
    """What a paper, or a catalogue of models, reports."""

    reporter: str
    catalogue: str
    source: str
    model_name: str
    benchmark: str
    paper: str | None
    year: int | None
    parameters: int | None
    image_size: str
    extra_training_data: bool | None
    figures: list[ReportedFigureOut]

    @staticmethod
    def resolve_paper(found: ReportedResult) -> str | None:
        """The paper's address."""
        return found.paper.slug if found.paper else None

    @staticmethod
    def resolve_year(found: ReportedResult) -> int | None:
        """The paper's year."""
        return found.paper.year if found.paper else None

    @staticmethod
    def resolve_figures(found: ReportedResult) -> list[Any]:
        """As they were fetched along."""
        return list(found.figures.all())
