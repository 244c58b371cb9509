"""The metrics that a benchmark declares."""

from dataclasses import dataclass


@dataclass(frozen=True)
class TopK:
    """The share of images whose class is among the k best answers; ties go to the lowest class index."""

    k: int

    @property
    def name(self) -> str:
        """As records and leaderboards write it."""
        return f"Top {self.k} Accuracy"
