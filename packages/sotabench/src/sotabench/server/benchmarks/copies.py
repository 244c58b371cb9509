"""This site's own copies of data sets, as builds see them.

    <site data>/copies/<name by lot>/val/<class folder by lot>/ILSVRC2012_val_<number by lot>.JPEG
    <site data>/prepared/<the same name>/

A copy is made beside its name and gets it when it is whole; what a killed run left is removed by the next one. The
bytes of the images are as they came, with whatever comments are in them.
"""

import fcntl
import os
import secrets
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from django.conf import settings
from django.db import transaction

from sotabench.server.benchmarks.base import Described, torchbench
from sotabench.server.benchmarks.decoys import Image, Placed, placed
from sotabench.server.benchmarks.labels import COLUMNS, set_labels
from sotabench.server.benchmarks.models import Benchmark, DataCopy
from sotabench.server.benchmarks.numbers import Numbered, images_of, keep_numbers
from sotabench.server.benchmarks.prepared import COMMON, Geometry, prepare
from sotabench.server.benchmarks.services import benchmark_of
from sotabench.server.benchmarks.trees import Tell, check_space, close_tree, is_whole, remove_tree, write_images
from sotabench.server.builds.models import Build
from sotabench.server.errors import Conflict, Invalid, NotFound
from sotabench.server.folder import NUMBERS_SECRET, secret_of

TASK = "Image Classification"
DATASETS = {"imagenet": "ImageNet"}
"""What can be copied: as it is typed, and as records name it."""


def add_copy(dataset: str, folder: Path, *, geometries: Sequence[Geometry] = COMMON, tell: Tell) -> DataCopy:
    """The site's copy of the images in `folder`, made unless it is there, and their labels kept.

    A part of the set becomes a benchmark of its own, listed. Raises Conflict when the site has a copy of other images
    or another process is at it, Unusable for images that cannot be read or a disk that is too small, Invalid.
    """
    name = _known(dataset)
    with _alone():
        _remove_leftovers()
        found = Described(folder)
        tell(f"{len(found.images):,} images, fingerprint {found.fingerprint[:12]}")
        there = DataCopy.objects.filter(dataset_name=name).first()
        if there is not None and there.fingerprint != found.fingerprint:
            raise Conflict(
                f"expected the {there.samples:,} images of the copy that is here, found {len(found.images):,} others; "
                f"`sotabench datasets remove {dataset}` removes that copy, and its results stay"
            )
        if there is not None and is_whole(tree_of(there), (image.seen for image in images_of(there))):
            tell("the copy is here already, and whole")
            copy = there
        else:
            copy = _make(name, found, there, geometries, tell)
        if geometries:
            tell(f"preparing {len(geometries)} geometries: {', '.join(map(str, geometries))}")
        prepare(tree_of(copy), prepared_of(copy), geometries)
    return copy


def remove_copy(dataset: str) -> None:
    """Remove the copy and what was prepared of it; benchmark, labels and results stay.

    Raises NotFound, and Conflict while builds run.
    """
    name = _known(dataset)
    with _alone():
        copy = DataCopy.objects.select_related("benchmark").filter(dataset_name=name).first()
        if copy is None:
            raise NotFound(f"expected a copy of {name}, found none; `sotabench datasets list` shows what is here")
        if Build.objects.filter(status=Build.Status.RUNNING).exists():
            raise Conflict("expected no build that may be reading the images, found one running; wait for it")
        with transaction.atomic():
            copy.delete()
            if not copy.benchmark.results.exists():
                Benchmark.objects.filter(pk=copy.benchmark_id, variant_of=None).update(fingerprint="")
        _remove_leftovers()


def tree_of(copy: DataCopy) -> Path:
    """The folder that builds are shown as the data set's."""
    return Path(settings.DATA) / copy.folder


def prepared_of(copy: DataCopy) -> Path:
    """The folder that builds are shown as the prepared cache; it may be empty or missing."""
    return Path(settings.DATA) / "prepared" / Path(copy.folder).name


def _known(dataset: str) -> str:
    try:
        return DATASETS[dataset.lower()]
    except KeyError:
        raise Invalid(f"expected one of {', '.join(DATASETS)}, found {dataset[:80]!r}") from None


def _make(name: str, found: Described, there: DataCopy | None, geometries: Sequence[Geometry], tell: Tell) -> DataCopy:
    """Write the tree, give it its name, and only then say that there is one."""
    images = placed(found.images, found.classes, secret=secret_of(settings.DATA, NUMBERS_SECRET))
    sizes = sum((found.folder / image.file).stat().st_size for image in found.images)
    check_space(settings.DATA, sizes + sum(each.bytes_of(len(images)) for each in geometries))
    drawn = secrets.token_hex(8)
    coming, tree = _copies() / f".coming-{drawn}", _copies() / drawn
    try:
        write_images(found.folder, images, coming, tell=tell)
        torchbench("data", "finish", coming)
        close_tree(coming)
        os.sync()
        coming.rename(tree)
        return _tell_database(name, found, images, there, folder=str(tree.relative_to(settings.DATA)))
    except BaseException:  # an interrupt too: nothing half stays
        remove_tree(coming)
        remove_tree(tree)
        raise


@transaction.atomic
def _tell_database(
    name: str, found: Described, images: Sequence[Placed], there: DataCopy | None, *, folder: str
) -> DataCopy:
    if there is not None:
        _check_numbers(there, images)
        there.folder = folder
        there.save(update_fields=["folder"])
        return there
    benchmark = _benchmark(name, found)
    set_labels(benchmark, _labels(found.images))
    return DataCopy.objects.create(
        benchmark=benchmark,
        dataset_name=name,
        folder=folder,
        numbers=keep_numbers(Numbered(each.seen, each.image.id, each.image.sha256) for each in images),
        fingerprint=found.fingerprint,
        samples=len(images),
    )


def _benchmark(name: str, found: Described) -> Benchmark:
    """The benchmark of these images, which knows from now on which they are; a part of the set is one of its own."""
    facts = {"samples": len(found.images), "complete": found.is_complete} | {
        "fingerprint": found.fingerprint,
        "version": found.version,
    }
    record = {"task": TASK, "dataset_name": name, "samples": len(found.images), "dataset": facts}
    benchmark = benchmark_of(record)
    benchmark.fingerprint, benchmark.size, benchmark.is_listed = found.fingerprint, len(found.images), True
    benchmark.save(update_fields=["fingerprint", "size", "is_listed"])
    return benchmark


def _labels(images: Sequence[Image]) -> bytes:
    rows = sorted(f"{image.id},{image.label}\n" for image in images)
    return f"{','.join(COLUMNS)}\n{''.join(rows)}".encode()


def _check_numbers(there: DataCopy, images: Sequence[Placed]) -> None:
    """Raise Conflict unless the images get the numbers that they had, which earlier results stand on."""
    had = {(image.seen, image.sha256) for image in images_of(there)}
    if had != {(each.seen, each.image.sha256) for each in images}:
        raise Conflict(
            f"expected the numbers that the images had, found others: is {NUMBERS_SECRET} not this site's? Restore it "
            "from the backup, or remove the copy and add it again"
        )


@contextmanager
def _alone() -> Iterator[None]:
    """Hold the lock on the copies. Raises Conflict when another process has it."""
    _copies().mkdir(exist_ok=True)
    descriptor = os.open(_copies() / ".lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Conflict("expected to be alone, found another `sotabench datasets` at work; wait for it") from None
        yield
    finally:
        os.close(descriptor)


def _remove_leftovers() -> None:
    """Remove trees that no copy names: a killed run's, and those whose copies were removed."""
    named = {Path(folder).name for folder in DataCopy.objects.values_list("folder", flat=True)}
    for parent in (_copies(), Path(settings.DATA) / "prepared"):
        for folder in parent.iterdir() if parent.is_dir() else ():
            if folder.is_dir() and folder.name not in named:
                remove_tree(folder)


def _copies() -> Path:
    return Path(settings.DATA) / "copies"
