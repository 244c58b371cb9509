"""The result and the decorator that evaluation code written for the predecessor builds on."""

import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from benchrecord import append_record
from torchbench.settings import Settings


@dataclass
class BenchmarkResult:
    """A result that the caller's own code measured; building one appends it to SOTABENCH_STORE_FILENAME, if set.

    `results` maps metric names to values, fractions for accuracies. It is written without predictions, so nobody can
    score it again: a site shows it as what the repository itself says.
    """

    model: str | None
    task: str
    dataset: str
    results: Mapping[str, float]
    speed_mem_metrics: Mapping[str, float | None] | None = None
    model_description: str | None = None
    config: Mapping[str, Any] | None = None
    arxiv_id: str | None = None
    pwc_id: str | None = None
    pytorch_hub_id: str | None = None
    paper_results: Mapping[str, float] | None = None
    run_hash: str | None = None

    def __post_init__(self) -> None:
        settings = Settings.from_environment()
        if settings.store:
            append_record(settings.store, self.to_dict())

    def to_dict(self) -> dict[str, Any]:
        """The record, under the keys that the predecessor wrote."""
        return {
            "model": self.model,
            "model_description": self.model_description,
            "task": self.task,
            "dataset_name": self.dataset,
            "results": dict(self.results),
            "speed_mem_metrics": dict(self.speed_mem_metrics or {}),
            "arxiv_id": self.arxiv_id,
            "pwc_id": self.pwc_id,
            "pytorch_hub_id": self.pytorch_hub_id,
            "paper_results": dict(self.paper_results or {}),
            "run_hash": self.run_hash,
        }


def check_inputs(benchmark: Callable[..., Any]) -> Callable[..., Any]:
    """Decorate a benchmark's method so that SOTABENCH_CHECK=params records its arguments and runs nothing.

    On a platform `data_root` is left to the benchmark's default, one GPU is used, and `device` is what is there.
    """

    @functools.wraps(benchmark)
    def checked(cls: Any, *args: Any, **kwargs: Any) -> Any:
        settings = Settings.from_environment()
        if settings.check == "params":
            return BenchmarkResult(
                model=kwargs.get("paper_model_name"),
                task=cls.task,
                dataset=cls.dataset.__name__,
                results={},
                model_description=kwargs.get("model_description"),
                arxiv_id=kwargs.get("paper_arxiv_id"),
                pwc_id=kwargs.get("paper_pwc_id"),
                paper_results=kwargs.get("paper_results"),
            )
        if settings.server:
            kwargs = {name: value for name, value in kwargs.items() if name not in {"data_root", "device", "num_gpu"}}
        return benchmark(cls, *args, **kwargs)

    return checked
