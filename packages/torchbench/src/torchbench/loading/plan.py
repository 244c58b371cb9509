"""How a transform will be carried out, and why so."""

import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from torchbench.loading.proof import prove_on_noise
from torchbench.loading.recipe import Recipe, Unrecognised, read_recipe
from torchbench.loading.steps import as_callable


@dataclass(frozen=True)
class Plan:
    """The way that was chosen: "fast", "cached" or "as written", and the sentence that says why."""

    name: str
    reason: str
    recipe: Recipe | None = None
    facts: Mapping[str, object] = field(default_factory=dict)

    def describe(self) -> dict[str, object]:
        """The plan as plain JSON values, for the record."""
        steps = {} if self.recipe is None else self.recipe.describe()
        return {"name": self.name, "reason": self.reason, **steps, **self.facts}


def read_transform(transform: Any) -> Plan:
    """The plan for a transform: "fast" when it is known by heart and gives the same bits on test images."""
    try:
        recipe = read_recipe(transform)
        prove_on_noise(recipe, as_callable(transform))
    except Unrecognised as why:
        return as_written(str(why))
    return Plan("fast", "every step is known, and the fast path gives the same bits", recipe)


def as_written(why: str) -> Plan:
    """The plan that fits every transform."""
    return Plan("as written", f"the transform runs as it is written: {why}")


def explain(transform: Any) -> None:
    """Print how a transform will be carried out."""
    plan = read_transform(transform).describe()
    width = max(len(name) for name in plan)
    sys.stdout.writelines(f"{name:<{width}}  {value}\n" for name, value in plan.items())
