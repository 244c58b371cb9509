"""One row of a published table, whatever the format; or what is wrong with it."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date

from sotabench.server.papers.models import ReportedResult
from sotabench.server.papers.published import Published, published

Reporter = ReportedResult.Reporter
NOT_GIVEN = frozenset({"", "-", "--", "n/a", "null", "none"})


@dataclass(frozen=True)
class BadRow:
    """A row that stayed out: where it stands, and what is wrong with it."""

    file: str
    place: str
    reason: str

    def __str__(self) -> str:
        return f"{self.file}, {self.place}: {self.reason}"


@dataclass(frozen=True)
class PaperFacts:
    """What a row says of its paper; one of the ids, or the title, finds it."""

    title: str
    arxiv_id: str = ""
    pwc_id: str = ""
    year: int | None = None
    published_on: date | None = None


@dataclass(frozen=True)
class Row:
    """A model's published figures on one benchmark."""

    place: str
    task: str
    dataset: str
    model_name: str
    figures: Mapping[str, Published]
    reporter: Reporter
    catalogue: str
    source: str = ""
    paper: PaperFacts | None = None
    image_size: str = ""
    parameters: int | None = None
    gflops: float | None = None
    extra_training_data: bool | None = field(default=None)


def figures_of(texts: Iterable[tuple[str, str]]) -> dict[str, Published]:
    """The figures that are given, in their order. Raises ValueError for a bad one, and when there is none."""
    given = [(metric, text) for metric, text in texts if text.strip().lower() not in NOT_GIVEN]
    if not given:
        raise ValueError("expected at least one figure, found none")
    return {metric: published(metric, text) for metric, text in given}
