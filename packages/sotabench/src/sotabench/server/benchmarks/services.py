"""What happens to benchmarks: they are added, and a record finds the one that it belongs to."""

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.db import IntegrityError, transaction

from benchrecord import printable
from sotabench.server.benchmarks.models import Benchmark, Metric
from sotabench.server.benchmarks.texts import fitting
from sotabench.server.errors import Conflict, Invalid
from sotabench.server.papers.models import ReportedResult
from sotabench.server.papers.published import lower_is_better
from sotabench.server.papers.slugs import benchmark_slug

TOP_ACCURACIES = ("Top 1 Accuracy", "Top 5 Accuracy")
IMAGE_CLASSIFICATION: dict[str, tuple[str, int, tuple[str, ...]]] = {
    "ImageNet": ("ILSVRC2012 validation", 50_000, TOP_ACCURACIES),
    "CIFAR-10": ("test split", 10_000, TOP_ACCURACIES),
    "CIFAR-100": ("test split", 10_000, TOP_ACCURACIES),
    "MNIST": ("test split", 10_000, TOP_ACCURACIES),
    "SVHN": ("test split", 26_032, TOP_ACCURACIES),
    "STL-10": ("test split", 8_000, TOP_ACCURACIES),
}
"""What a fresh site knows: data set, its version, images, metrics, the ranking one first."""

_SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class _Variant:
    """Which images they were instead of all of them, and why that cannot be compared."""

    name: str
    why: str
    fingerprint: str = ""


def add_known_benchmarks() -> None:
    """Add what a fresh site knows; what is there already stays as its owner made it."""
    for dataset, (version, size, metrics) in IMAGE_CLASSIFICATION.items():
        add_benchmark("Image Classification", dataset, version=version, size=size, metrics=metrics)


@transaction.atomic
def add_benchmark(
    task: str, dataset: str, *, version: str = "", size: int | None = None, metrics: Sequence[str]
) -> Benchmark:
    """The benchmark of this task and data set, made with these metrics when there is none yet."""
    benchmark, is_new = Benchmark.objects.get_or_create(
        slug=benchmark_slug(task, dataset),
        defaults={"task": task, "dataset": dataset, "dataset_version": version, "size": size},
    )
    if is_new:
        Metric.objects.bulk_create(
            Metric(
                benchmark=benchmark,
                name=name,
                position=position,
                higher_is_better=not lower_is_better(name),
                is_fraction="accuracy" in name.lower(),
            )
            for position, name in enumerate(metrics)
        )
    return benchmark


def add_reported_benchmarks() -> int:
    """Add a benchmark for every table that papers and catalogues report on and the site does not have; how many."""
    known = Benchmark.objects.order_by().values("slug")
    rows = ReportedResult.objects.exclude(benchmark__in=known).order_by("id").prefetch_related("figures")
    metrics: dict[tuple[str, str, str], dict[str, None]] = {}
    for row in rows.iterator(chunk_size=1000):
        names = metrics.setdefault((row.benchmark, row.task, row.dataset), {})
        names.update(dict.fromkeys(figure.metric for figure in row.figures.all()))
    added = {slug: add_benchmark(task, data, metrics=list(names)) for (slug, task, data), names in metrics.items()}
    return len(added)


def benchmark_of(record: Mapping[str, Any]) -> Benchmark:
    """The benchmark that the record belongs to: a variant, made when it is new, unless it is about the whole set.

    Raises Invalid when the site has no such benchmark.
    """
    whole = _whole_of(record)
    variant = _variant(record, whole)
    return whole if variant is None else _variant_of(whole, variant)


def benchmark_like(record: Mapping[str, Any]) -> Benchmark:
    """One with the metrics of the benchmark that the record belongs to, and nothing made: of a new variant, the whole.

    Raises Invalid as `benchmark_of`.
    """
    whole = _whole_of(record)
    if (variant := _variant(record, whole)) is None:
        return whole
    there = Benchmark.objects.filter(
        variant_of=whole, dataset=fitting(variant.name, 200), fingerprint=variant.fingerprint
    )
    return there.first() or whole


def _whole_of(record: Mapping[str, Any]) -> Benchmark:
    task, dataset = record["task"], record["dataset_name"]
    if whole := Benchmark.objects.filter(task=task, dataset=dataset, variant_of=None).first():
        return whole
    known = ", ".join(map(str, Benchmark.objects.filter(is_listed=True, variant_of=None)[:20]))
    raise Invalid(f"expected a benchmark of this site ({known}), found {printable(f'{task} on {dataset}', 200)}")


def _variant(record: Mapping[str, Any], whole: Benchmark) -> _Variant | None:
    """Which part or version of the set the record is about; None for the whole set."""
    facts = record.get("dataset")
    facts = facts if isinstance(facts, dict) else {}
    counts = [count for count in (record.get("samples"), facts.get("samples")) if type(count) is int]
    if not counts or whole.size is None:
        return _Variant(f"{whole.dataset} (images not stated)", "it is not stated which images they were")
    samples, fingerprint = min(counts), _fingerprint(facts)
    if samples < whole.size or facts.get("complete") is False:
        why = f"a part of the data: {samples:,} of {whole.size:,} images"
        return _Variant(f"{whole.dataset} sample ({samples})", why, fingerprint)
    version = fitting(str(facts.get("version") or "").strip(), 80)
    if samples > whole.size or (version and whole.dataset_version and version != whole.dataset_version):
        return _Variant(f"{whole.dataset} ({version or samples})", f"another version of the data: {version or samples}")
    if whole.fingerprint and fingerprint != whole.fingerprint:
        return _Variant(f"{whole.dataset} (copy {fingerprint[:8]})", "other images than this site's", fingerprint)
    return None


def _fingerprint(facts: Mapping[str, Any]) -> str:
    found = facts.get("fingerprint")
    return found if isinstance(found, str) and _SHA256.fullmatch(found) else ""


def _variant_of(whole: Benchmark, variant: _Variant) -> Benchmark:
    """The variant, unlisted when new: anybody can bring a part of a set, only the site's owner puts it on the front.

    Raises Conflict when somebody else's took the address of a new one at the same moment.
    """
    name = fitting(variant.name, 200)
    try:
        made, is_new = Benchmark.objects.get_or_create(
            variant_of=whole,
            dataset=name,
            fingerprint=variant.fingerprint,
            defaults={
                "task": whole.task,
                "slug": _free_slug(whole.task, name, variant.fingerprint),
                "why_variant": fitting(variant.why, 200),
                "is_listed": False,
            },
        )
    except IntegrityError as error:
        raise Conflict(f"expected the address of {name} to be free still, found it taken; submit again") from error
    if not is_new:
        return made
    Metric.objects.bulk_create(
        Metric(
            benchmark=made,
            name=metric.name,
            position=metric.position,
            higher_is_better=metric.higher_is_better,
            is_fraction=metric.is_fraction,
        )
        for metric in whole.metrics.all()
    )
    return made


def _free_slug(task: str, dataset: str, fingerprint: str) -> str:
    """The address of a new variant: names and fingerprints are strangers' words, so two may lead to one address."""
    digest = hashlib.sha256(f"{dataset}/{fingerprint}".encode()).hexdigest()
    plain = benchmark_slug(task, dataset)
    # An address may be 250 letters long; a task and a data set that are as long as they may be fill 244 of them.
    wanted = [plain, f"{plain[:230]}-{(fingerprint or digest)[:12]}", f"{plain[:180]}-{digest}"]
    taken = set(Benchmark.objects.filter(slug__in=wanted).values_list("slug", flat=True))
    return next((slug for slug in wanted if slug not in taken), wanted[-1])
