"""Users, repositories and records that tests need."""

import json

import pytest

from sotabench.server.accounts.models import User
from sotabench.server.benchmarks.services import add_known_benchmarks
from sotabench.server.benchmarks.submissions import Submission, submit_records
from sotabench.server.papers.importing import import_files, shipped_files
from sotabench.server.repositories.models import Repository

COMMIT = "0123456789abcdef0123456789abcdef01234567"


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
def vision(ada):
    return Repository.objects.create(host="github.com", owner_name="pytorch", name="vision", owner=ada)


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
