"""What the caller says of the paper, and how a result stands beside it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from torchbench.checks import finite_number, paper_problems


@dataclass(frozen=True)
class Paper:
    """The model's name in its paper and where that paper is; every part may be missing."""

    model_name: str | None = None
    arxiv_id: str | None = None
    pwc_id: str | None = None
    results: Mapping[str, float] | None = None
    pytorch_hub_id: str | None = None

    def elsewhere(self) -> "Paper":
        """The same model on another benchmark, about which the reported results say nothing."""
        return replace(self, results=None)

    def problems(self, metrics: Sequence[str]) -> list[str]:
        """What a reader of the record would stumble over, a sentence each."""
        return paper_problems(self.arxiv_id, self.results, metrics)

    def beside(self, results: Mapping[str, float]) -> dict[str, dict[str, float]]:
        """The paper's figure and measured minus paper for each metric that has both; fractions."""
        given = self.numbers
        return {
            name: {"paper": given[name], "difference": measured - given[name]}
            for name, measured in results.items()
            if name in given
        }

    @property
    def numbers(self) -> dict[str, float]:
        """The given results as far as they are finite numbers; `problems` says what is wrong with the others."""
        given = self.results if isinstance(self.results, Mapping) else {}
        numbers = {name: finite_number(value) for name, value in given.items()}
        return {name: number for name, number in numbers.items() if number is not None}

    def to_dict(self) -> dict[str, Any]:
        """The keys that records carry."""
        return {
            "model": self.model_name,
            "arxiv_id": self.arxiv_id,
            "pwc_id": self.pwc_id,
            "paper_results": self.numbers if isinstance(self.results, Mapping) else None,
            "pytorch_hub_id": self.pytorch_hub_id,
        }
