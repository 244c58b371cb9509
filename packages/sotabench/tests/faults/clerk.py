"""Whoever runs the site of a test: a process with that site's settings, asked by lines of JSON.

It looks at the database and queues builds while the site itself is being killed.
"""

import hashlib
import json
import sys
import time
from pathlib import Path

import django

django.setup()

from django.conf import settings  # noqa: E402 - Django comes first
from django.core.management import call_command  # noqa: E402
from django.db import DatabaseError, close_old_connections, connections, transaction  # noqa: E402
from django.db.models import Count  # noqa: E402

from sotabench.server.accounts.models import User  # noqa: E402
from sotabench.server.benchmarks.labels import set_labels  # noqa: E402
from sotabench.server.benchmarks.models import Benchmark, DataCopy, Result  # noqa: E402
from sotabench.server.benchmarks.numbers import Numbered, keep_numbers  # noqa: E402
from sotabench.server.benchmarks.services import add_known_benchmarks, benchmark_of  # noqa: E402
from sotabench.server.builds.leases import create_runner  # noqa: E402
from sotabench.server.builds.models import Build, Runner  # noqa: E402
from sotabench.server.builds.services import build_now, cancel_build  # noqa: E402
from sotabench.server.errors import Conflict  # noqa: E402
from sotabench.server.folder import prepare_folder  # noqa: E402
from sotabench.server.repositories.models import Repository  # noqa: E402
from sotabench.server.repositories.proofs import add_by_operator  # noqa: E402

IMAGES = 12


def prepare():
    """The database of a fresh site, with its owner and a small copy of images that nobody needs to see."""
    prepare_folder(settings.DATA)
    call_command("migrate", interactive=False, verbosity=0)
    add_known_benchmarks()
    User.objects.create_superuser("owner", password="correct horse battery")
    fingerprint = hashlib.sha256(b"light").hexdigest()
    facts = {"samples": IMAGES, "fingerprint": fingerprint, "complete": False}
    benchmark = benchmark_of({"task": "Image Classification", "dataset_name": "ImageNet", "dataset": facts})
    Benchmark.objects.filter(pk=benchmark.pk).update(size=IMAGES, is_listed=True)
    benchmark.refresh_from_db()
    set_labels(benchmark, b"id,class_index\n" + b"".join(b"true-%02d,%d\n" % (n, 7 * n) for n in range(IMAGES)))
    seen = [f"ILSVRC2012_val_{number:08d}" for number in range(IMAGES)]
    numbers = keep_numbers(Numbered(name, f"true-{place:02d}", f"{place:064x}") for place, name in enumerate(seen))
    folder = settings.DATA / "copies" / "light" / "val" / "n01440764"
    folder.mkdir(parents=True)
    for name in seen:
        (folder / f"{name}.JPEG").touch()
    DataCopy.objects.create(
        benchmark=benchmark,
        dataset_name="ImageNet",
        folder="copies/light",
        numbers=numbers,
        fingerprint=fingerprint,
        samples=IMAGES,
    )


def token(name):
    return create_runner(name)[1]


def trouble(name):
    return Runner.objects.get(name=name).trouble


def add(name, url):
    made = add_by_operator(User.objects.get(), url, name=f"demo/{name}", branch="main")
    Repository.objects.filter(pk=made.pk).update(is_polled=False)


def build(name, commit):
    return build_now(
        User.objects.get(), Repository.objects.get(name=name), commit=commit, branch="main", is_full=True
    ).pk


def cancel(key):
    try:
        cancel_build(User.objects.get(), Build.objects.get(pk=key))
    except Conflict:
        return False
    return True


def builds(keys=None):
    """All that there is to know of builds: where they stand, their attempts, the calls that have results."""
    found = Build.objects.select_related("repository").order_by("pk")
    return [
        {
            "key": one.pk,
            "name": one.repository.name,
            "status": one.status,
            "reason": one.reason,
            "attempts": [
                {"outcome": attempt.outcome, "is_open": attempt.ended_at is None, "stage": attempt.stage}
                for attempt in one.attempts.all()
            ],
            "calls": list(one.results.order_by("pk").values_list("model_name", flat=True)),
            "carried": one.results.exclude(carried_from=None).count(),
        }
        for one in (found.filter(pk__in=keys) if keys is not None else found).prefetch_related("attempts")
    ]


def logs(key):
    """The log of each attempt, as the numbers of its chunks and its text."""
    attempts = Build.objects.get(pk=key).attempts.all()
    chunks = [list(one.log.order_by("number").values_list("number", "text")) for one in attempts]
    return [{"numbers": [n for n, _ in found], "text": "\n".join(text for _, text in found)} for found in chunks]


def currents():
    """For each repository and model the number of results that nothing took the place of."""
    found = Result.objects.filter(superseded_by=None, build__is_preview=False).values_list("repository", "model_name")
    return list(found.annotate(count=Count("pk")).values_list("count", flat=True))


def lock(seconds):
    """Keep everybody else from writing to SQLite for so long."""
    with transaction.atomic():
        Build.objects.filter(pk=0).update(reason="")
        time.sleep(seconds)


def predictions():
    """The kept predictions files that are missing, or are not what their digest says."""
    named = Result.objects.exclude(predictions="").values_list("predictions", "predictions_sha256").distinct()
    files = [(Path(settings.MEDIA_ROOT, name), digest) for name, digest in named]
    return [str(path) for path, digest in files if hashlib.sha256(path.read_bytes()).hexdigest() != digest]


def main():
    """Answer until standard input ends."""
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    for line in sys.stdin:
        name, arguments = json.loads(line)
        close_old_connections()
        try:
            answer = {"found": globals()[name](*arguments)}
        except (DatabaseError, OSError) as error:
            connections.close_all()
            answer = {"error": str(error)}
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
