"""The metrics that a benchmark declares."""

from dataclasses import dataclass

from benchrecord import REAL_ACCURACY


@dataclass(frozen=True)
class TopK:
    """The share of images whose class is among the k best answers; ties go to the lowest class index."""

    k: int

    @property
    def name(self) -> str:
        """As records and leaderboards write it."""
        return f"Top {self.k} Accuracy"


@dataclass(frozen=True)
class RealAccuracy:
    """The share of the images with labels whose best answer is among their labels (Beyer et al., arXiv:2006.07159)."""

    k: int = 1

    @property
    def name(self) -> str:
        """The authors' own."""
        return REAL_ACCURACY
