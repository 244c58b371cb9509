"""`model-index`, the results in the YAML at the top of a model card (Hugging Face), or in a YAML file of its own.

`model-index` is a list of models with `name` and `results`; a result has `task` (`type`, `name`), `dataset` (`type`,
`name`) and `metrics` (each `type`, `value`, perhaps `name`). A card is its author's word, not a paper's.
"""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from sotabench.server.papers.formats.row import BadRow, Reporter, Row, figures_of

LARGEST = 4 << 20
_FRONT_MATTER = re.compile(r"---[ \t]*\r?\n(.*?)\r?\n---[ \t]*(?:\r?\n|\Z)", re.DOTALL)
_IMAGENET = frozenset({"imagenet", "imagenet1k", "imagenet-1k", "ilsvrc2012", "imagenet 1k"})
_TOP = re.compile(r"(?:acc(?:uracy)?[ @_-]*(?:top[ _-]*)?|top[ @_-]*)([15])(?:[ _-]*acc(?:uracy)?)?", re.IGNORECASE)


class _NoAliases(yaml.SafeLoader):
    """YAML without aliases: a few lines of them can stand for gigabytes."""

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        if self.check_event(yaml.events.AliasEvent):
            raise yaml.constructor.ConstructorError(None, None, "found an alias, which a model card does not need")
        return super().compose_node(parent, index)


def read_model_index(path: Path) -> Iterator[Row | BadRow]:
    """A row for every result of every model of the card."""
    try:
        found = _load(path)
    except (ValueError, yaml.YAMLError, RecursionError) as error:
        yield BadRow(path.name, "the file", f"expected YAML with model-index, found: {' '.join(str(error).split())}")
        return
    for number, model in enumerate(found):
        name = model.get("name") if isinstance(model, dict) else None
        results = model.get("results") if isinstance(model, dict) else None
        if not isinstance(name, str) or not isinstance(results, list):
            yield BadRow(path.name, f"model-index[{number}]", "expected a model with `name` and a list of `results`")
            continue
        for which, result in enumerate(results):
            place = f"model-index[{number}].results[{which}]"
            try:
                yield _row(place, name, result)
            except ValueError as error:
                yield BadRow(path.name, place, str(error))


def _load(path: Path) -> list[Any]:
    if path.stat().st_size > LARGEST:
        raise ValueError(f"{path.stat().st_size} bytes, more than {LARGEST}")
    text = path.read_text(encoding="utf-8")
    if path.suffix.lower() in {".md", ".markdown"}:
        matter = _FRONT_MATTER.match(text)
        text = matter[1] if matter else ""
    try:
        found = yaml.load(text, Loader=_NoAliases)  # noqa: S506 - a safe loader, made stricter
    except (LookupError, AttributeError) as error:  # PyYAML's own mistakes
        raise ValueError(f"a value that is not what its tag says ({error})") from error
    models = found.get("model-index") if isinstance(found, dict) else None
    if not isinstance(models, list):
        raise ValueError("no list named model-index")  # noqa: TRY004 - one kind of bad file
    return models


def _row(place: str, name: str, result: object) -> Row:
    task, dataset = _part(result, "task"), _part(result, "dataset")
    metrics = result.get("metrics") if isinstance(result, dict) else None
    if not isinstance(metrics, list) or not all(isinstance(metric, dict) for metric in metrics):
        raise ValueError("expected `metrics` to be a list of objects with `type` and `value`")
    dataset_name = _text(dataset, "name", "type")
    known = _is_imagenet(dataset_name) or _is_imagenet(_text(dataset, "type", "name"))
    return Row(
        place=place,
        task=_text(task, "name", "type").replace("-", " ").title(),
        dataset="ImageNet" if known else dataset_name,
        model_name=name,
        figures=figures_of([(_metric(metric, known=known), str(metric.get("value", ""))) for metric in metrics]),
        reporter=Reporter.CATALOGUE,
        catalogue="model-index",
        source=name,
    )


def _part(result: object, key: str) -> Mapping[str, Any]:
    part = result.get(key) if isinstance(result, dict) else None
    if not isinstance(part, dict):
        raise ValueError(f"expected `{key}` to be an object with `type` and `name`")  # noqa: TRY004 - one kind of bad row
    return part


def _text(part: Mapping[str, Any], *keys: str) -> str:
    for key in keys:
        if isinstance(part.get(key), str) and part[key].strip():
            return str(part[key]).strip()
    raise ValueError(f"expected one of {', '.join(keys)} to be text")


def _is_imagenet(name: str) -> bool:
    return name.lower().rsplit("/", 1)[-1] in _IMAGENET


def _metric(metric: Mapping[str, Any], *, known: bool) -> str:
    """The metric's name; on ImageNet the two accuracies are called what the leaderboard calls them."""
    name = _text(metric, "name", "type")
    if not known:
        return name
    top = _TOP.fullmatch(name)
    return f"Top {top[1]} Accuracy" if top else "Top 1 Accuracy" if name.lower() in {"accuracy", "acc"} else name
