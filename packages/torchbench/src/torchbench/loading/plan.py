"""How a transform will be carried out, and why so."""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Plan:
    """The way that was chosen: "fast", "cached" or "as written", and the sentence that says why."""

    name: str
    reason: str

    def describe(self) -> dict[str, object]:
        """The plan as plain JSON values, for the record."""
        return {"name": self.name, "reason": self.reason}


def read_transform(transform: Any) -> Plan:
    """The plan for a transform."""
    return Plan("as written", f"{type(transform).__qualname__} runs as it is written")
