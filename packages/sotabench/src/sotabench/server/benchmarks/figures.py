"""The figures of a record: what it measured, and what it declares; each with its tier."""

from collections.abc import Mapping, Sequence
from typing import Any

from benchrecord import wilson_interval
from sotabench.server.benchmarks.models import Benchmark, Figure, Metric, Tier
from sotabench.server.benchmarks.texts import fitting

MOST_FIGURES = 40
_CLOSE = 1e-9

PARAMETERS, MACS, SPEED = DECLARED = "Parameters", "MACs", "Samples per Second"


def figures_of(record: Mapping[str, Any], benchmark: Benchmark, *, tier: Tier) -> list[Figure]:
    """The record's figures, not stored yet: its results in this tier, what only its process can know as declared.

    A result that is named as what is declared, and is no metric of the benchmark, is left out.
    """
    metrics = {metric.name: metric for metric in benchmark.metrics.all()}
    named = [(name, value) for name, value in record["results"].items() if name in metrics or name not in DECLARED]
    results = sorted(named, key=lambda item: item[0] not in metrics)[:MOST_FIGURES]
    figures = [_measured(name, float(value), metrics.get(name), record.get("samples")) for name, value in results]
    for figure in figures:
        figure.tier = tier
    taken = {figure.name for figure in figures}
    return figures + [figure for figure in _declared(record) if figure.name not in taken]


def rank_value(figures: Sequence[Figure], benchmark: Benchmark) -> float | None:
    """What ranks: the figure of the benchmark's first metric, turned so that higher is better; None without one."""
    first = next(iter(benchmark.metrics.all()), None)
    value = next((figure.value for figure in figures if first and figure.name == first.name), None)
    if first is None or value is None:
        return None
    return value if first.higher_is_better else -value


def _measured(name: str, value: float, metric: Metric | None, samples: object) -> Figure:
    """A figure with its 95 % Wilson interval, where it is a share of so many images; else without one."""
    figure = Figure(name=name, value=value)
    if metric and metric.is_fraction and 0 <= value <= 1 and type(samples) is int and samples > 0:
        right = round(value * samples)
        if abs(right / samples - value) < _CLOSE:
            figure.low, figure.high = wilson_interval(right, samples)
    return figure


def _declared(record: Mapping[str, Any]) -> list[Figure]:
    facts, speed = _object(record, "model_facts"), _object(record, "speed")
    found = [
        (PARAMETERS, facts.get("parameters"), ""),
        (MACS, facts.get("macs"), ""),
        (SPEED, speed.get("samples_per_second"), speed_condition(record)),
    ]
    return [
        Figure(name=name, value=float(value), tier=Tier.DECLARED, condition=condition)
        for name, value, condition in found
        if isinstance(value, int | float) and not isinstance(value, bool) and value > 0
    ]


def speed_condition(record: Mapping[str, Any]) -> str:
    """Device, precision and batch size on one line: only speeds under one condition can be compared."""
    environment, facts, speed = (_object(record, key) for key in ("environment", "model_facts", "speed"))
    device = environment.get("accelerator") or environment.get("processor") or environment.get("device")
    precision, batch = facts.get("dtype"), speed.get("batch_size")
    parts = [device or "device not stated", precision or "precision not stated", f"batch {batch or 'not stated'}"]
    return " / ".join(fitting(str(part), 90) for part in parts)


def _object(record: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    found = record.get(key)
    return found if isinstance(found, dict) else {}
