"""Users, repositories and records that tests need."""

import hashlib
import json

import numpy as np
import pytest
from django.utils import timezone
from git_host import GitHost

from benchrecord import PredictionsBuilder, write_predictions
from sotabench.server.accounts.models import User
from sotabench.server.benchmarks.labels import set_labels
from sotabench.server.benchmarks.models import Benchmark, DataCopy
from sotabench.server.benchmarks.numbers import Numbered, keep_numbers
from sotabench.server.benchmarks.scoring import score_call
from sotabench.server.benchmarks.services import add_known_benchmarks, benchmark_of
from sotabench.server.benchmarks.submissions import Submission, submit_records
from sotabench.server.builds.models import Build
from sotabench.server.papers.importing import import_files, shipped_files
from sotabench.server.repositories.models import Repository

COMMIT = "0123456789abcdef0123456789abcdef01234567"
RANKED = 100
"""Images of the benchmark on which models are ranked against each other."""


@pytest.fixture
def commit():
    return COMMIT


@pytest.fixture
def ada(db):
    return User.objects.create_user("ada", password="correct horse battery")


@pytest.fixture
def bob(db):
    return User.objects.create_user("bob", password="correct horse battery")


@pytest.fixture
def owner_of_site(db):
    return User.objects.create_superuser("owner", password="correct horse battery")


@pytest.fixture
def proven():
    """What a repository has whose owner showed control, and which the site's owner approved."""
    now = timezone.now()
    return {"proven_by": "file", "proven_at": now, "approved_at": now}


@pytest.fixture
def vision(ada, proven):
    return Repository.objects.create(host="github.com", owner_name="pytorch", name="vision", owner=ada, **proven)


@pytest.fixture
def resnexts(benchmarks, tmp_path):
    """Of the shipped tables, the rows about ResNeXt."""
    for table in shipped_files():
        header, *lines = table.read_text().splitlines(keepends=True)
        (tmp_path / table.name).write_text(header + "".join(line for line in lines if "resnext" in line.lower()))
        assert not import_files([tmp_path / table.name]).bad


@pytest.fixture
def benchmarks(db):
    """The benchmarks of a fresh site, without the papers."""
    add_known_benchmarks()


@pytest.fixture
def record():
    """A record of a whole evaluation on ImageNet, with some of its keys replaced."""

    def changed(**changes):
        return {
            "format": 1,
            "model": "ResNeXt-101-32x8d",
            "arxiv_id": "1611.05431",
            "task": "Image Classification",
            "dataset_name": "ImageNet",
            "results": {"Top 1 Accuracy": 0.79312, "Top 5 Accuracy": 0.94526},
            "samples": 50_000,
            "dataset": {
                "name": "ImageNet",
                "version": "ILSVRC2012 validation",
                "fingerprint": "a" * 64,
                "samples": 50_000,
                "size": 50_000,
                "complete": True,
            },
            "model_facts": {"parameters": 88_791_336, "macs": 16_414_000_000, "dtype": "float32"},
            "speed": {"samples_per_second": 12.5, "batch_size": 128},
            "environment": {"device": "cpu", "processor": "A Processor"},
        } | changes

    return changed


@pytest.fixture
def submit(ada, vision, commit):
    """Submit records as ada for her repository; the results, in the order of the records."""

    def submitted(*records, user=ada, repository=vision, **rest):
        submission = Submission(**({"commit": commit, "content": json.dumps(records).encode()} | rest))
        return list(submit_records(user, repository, submission).results.order_by("id"))

    return submitted


IMAGES = 40
"""Images of the small copy: image `k` shows class `7 * k`."""


def seen(place):
    """The name under which builds see image `place` of the small copy."""
    return f"ILSVRC2012_val_{IMAGES - place:08d}"


@pytest.fixture
def copy(benchmarks):
    """A copy of forty images, numbered the other way round, with this site's labels."""
    fingerprint = hashlib.sha256(b"forty").hexdigest()
    facts = {"samples": IMAGES, "fingerprint": fingerprint, "complete": False}
    benchmark = benchmark_of({"task": "Image Classification", "dataset_name": "ImageNet", "dataset": facts})
    Benchmark.objects.filter(pk=benchmark.pk).update(size=IMAGES, is_listed=True)
    benchmark.refresh_from_db()
    rows = "".join(f"true-{place:02d},{7 * place}\n" for place in range(IMAGES))
    set_labels(benchmark, f"id,class_index\n{rows}".encode())
    numbers = keep_numbers(Numbered(seen(place), f"true-{place:02d}", f"{place:064x}") for place in range(IMAGES))
    return DataCopy.objects.create(
        benchmark=benchmark,
        dataset_name="ImageNet",
        folder="copies/small",
        numbers=numbers,
        fingerprint=fingerprint,
        samples=IMAGES,
    )


@pytest.fixture
def answers(tmp_path):
    """Writes what a sealed build writes: a record, and predictions that are right about the first `right` images."""

    def written(right=IMAGES, *, ids=None, values=None, name="answers.npz", **changes):
        outputs = values
        if outputs is None:
            outputs = np.zeros((IMAGES, 1000), np.float32)
            outputs[:, 999] = 1
            outputs[range(right), [7 * place for place in range(right)]] = 2
        builder = PredictionsBuilder(outputs.shape[1])
        builder.add([seen(place) for place in range(IMAGES)] if ids is None else ids, outputs)
        facts = write_predictions(tmp_path / name, builder.finish())
        said = {"name": facts.name, "size": facts.size, "sha256": facts.sha256}
        record = {
            "format": 1,
            "model": "Net",
            "task": "Image Classification",
            "dataset_name": "ImageNet",
            "results": {},
            "samples": len(outputs),
            "predictions": said,
            "dataset": {"name": "ImageNet", "sealed": True},
        }
        return record | changes, tmp_path / name

    return written


@pytest.fixture
def a_build(vision, ada, commit):
    """Makes builds of ada's repository that are running."""

    def made(repository=vision, **rest):
        number = repository.builds.count() + 1
        facts = {"commit": commit, "origin": "requested", "status": "running", "requested_by": ada} | rest
        return Build.objects.create(repository=repository, number=number, **facts)

    return made


@pytest.fixture
def score_answers(a_build, answers, copy):
    """Scores a build's only call, which answers as `answers` is told to."""

    def scored(right=IMAGES, *, build=None, **rest):
        return score_call(build or a_build(), *answers(right, **rest))

    return scored


@pytest.fixture
def git_host(settings, tmp_path):
    """A git host on loopback that the site's owner listed as an internal one."""
    (tmp_path / "host").mkdir()
    host = GitHost(tmp_path / "host")
    settings.INTERNAL_HOSTS = [host.name]
    yield host
    host.close()


@pytest.fixture
def predicted(record, tmp_path):
    """A record, and its predictions file, of a model that is right on the first so many images."""

    def made(name, right):
        outputs = np.zeros((RANKED, 10), np.float32)
        outputs[:, 3] = 1
        outputs[:right, 7] = 2
        builder = PredictionsBuilder(10)
        builder.add([f"image-{number}" for number in range(RANKED)], outputs)
        path = tmp_path / f"{name}.npz"
        facts = write_predictions(path, builder.finish())
        said = {"name": path.name, "size": facts.size, "sha256": facts.sha256}
        results = {"Top 1 Accuracy": right / RANKED}
        return record(model=name, samples=RANKED, dataset=None, predictions=said, results=results), path

    return made


@pytest.fixture
def ranked(benchmarks, submit, predicted):
    """Two models that nothing tells apart, and one that is far worse."""
    benchmark = Benchmark.objects.get(dataset="ImageNet")
    benchmark.size = RANKED
    benchmark.save()
    rows = "".join(f"image-{number},7\n" for number in range(RANKED))
    set_labels(benchmark, f"id,class_index\n{rows}".encode())
    made = [predicted("Best", 90), predicted("Close", 89), predicted("Worst", 40)]
    return submit(*(record for record, _ in made), files={path.name: path for _, path in made})
