"""Fill an empty site with a large leaderboard and print, as JSON, what a visitor of it needs to know.

Usage: SOTABENCH_DATA=folder [DATABASE_URL=...] python benchmarks/site_data.py 100000
"""

import hashlib
import json
import os
import random
import sys
from collections.abc import Iterator
from itertools import islice

import django

os.environ["DJANGO_SETTINGS_MODULE"] = "sotabench.server.settings"
os.environ["SOTABENCH_LOG"] = "text"
django.setup()

from django.conf import settings
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
from django.contrib.auth.models import AnonymousUser
from django.contrib.sessions.backends.db import SessionStore
from django.db import connection, transaction

from sotabench.server.accounts.models import User
from sotabench.server.accounts.services import create_token
from sotabench.server.benchmarks.figures import figures_of, rank_value
from sotabench.server.benchmarks.models import Benchmark, Figure, Result, Tier
from sotabench.server.benchmarks.queries import leaderboard
from sotabench.server.benchmarks.sort_keys import sort_keys
from sotabench.server.builds.models import Build
from sotabench.server.commands.serve import prepare_site
from sotabench.server.papers.models import Paper
from sotabench.server.papers.spelling import model_key
from sotabench.server.repositories.models import Repository

REPOSITORIES, PRIVATE_EVERY, BUILDS = 300, 25, 20
SUPERSEDED, SECOND = 0.05, 0.10  # of the number of current results: older ones beside them, results of a second board
RARE = "Zebrafinch"
FAMILIES = ("ResNet", "ResNeXt", "EfficientNet-B", "ViT-L", "ConvNeXt", "Swin", "DenseNet", "MobileNetV", "RegNetY-")
RECIPES = ("", " pretrained", " distilled", " 384px", " EMA", " AugReg", " CutMix", " fp16")
DEVICES = ("NVIDIA A100-SXM4-80GB", "NVIDIA H100", "AMD EPYC 7763 64-Core Processor")
BATCHES = (1, 128)


def model_name(chance: random.Random, number: int) -> str:
    """A name as people give them; one in five thousand is of a rare family."""
    family = RARE if number % 5000 == 7 else chance.choice(FAMILIES)
    return f"{family}{chance.randrange(1, 200)} {chance.randrange(1, 65)}x{chance.randrange(2, 33)}d" + chance.choice(
        RECIPES
    )


def record_of(chance: random.Random, number: int, dataset: str, papers: list[str]) -> dict[str, object]:
    """A record as torchbench writes it; what it declares is sometimes missing."""
    wide, size = dataset == "ImageNet", 50_000 if dataset == "ImageNet" else 10_000
    right = int(size * min(0.92, chance.gauss(0.78 if wide else 0.9, 0.05)))
    facts: dict[str, object] = {"dtype": chance.choice(("float32", "float16"))}
    if chance.random() < 0.9:
        facts["parameters"] = chance.choice((5_288_548, 25_557_032, 88_791_336)) + chance.randrange(400) * 1000
    if chance.random() < 0.6:
        facts["macs"] = chance.randrange(200, 40_000) * 1_000_000
    speed = {"samples_per_second": round(chance.lognormvariate(5, 1), 1), "batch_size": chance.choice(BATCHES)}
    steps = [{"name": name, "size": [224, 224], "interpolation": "bicubic"} for name in ("Resize", "CenterCrop")]
    return {
        "format": 1,
        "model": model_name(chance, number),
        "arxiv_id": chance.choice(papers) if chance.random() < 0.6 else None,
        "task": "Image Classification",
        "dataset_name": dataset,
        "results": {"Top 1 Accuracy": right / size, "Top 5 Accuracy": min(size, right + chance.randrange(9999)) / size},
        "samples": size,
        "declared": {"extra_training_data": chance.choice((True, False, False, None))},
        "dataset": {"name": dataset, "fingerprint": "a" * 64, "samples": size, "size": size, "complete": True},
        "model_facts": facts,
        "speed": speed if chance.random() < 0.7 else None,
        "transform": {"steps": steps, "text": "Compose(Resize(256), CenterCrop(224), ToTensor(), Normalize(...))"},
        "environment": {"device": "cuda", "accelerator": chance.choice(DEVICES), "python": "3.11.7", "run": number},
    }


def repositories(chance: random.Random, owners: list[User]) -> list[Repository]:
    """Repositories of several owners, every so many of them private."""
    return Repository.objects.bulk_create(
        Repository(
            host="github.com",
            owner_name=f"{chance.choice(('vision', 'lab', 'nets'))}-{number % 60}",
            name=f"models-{number}",
            owner=owners[number % len(owners)],
            is_public=number % PRIVATE_EVERY != 1,
        )
        for number in range(REPOSITORIES)
    )


def builds(found: list[Repository]) -> list[Build]:
    """As many finished builds for each repository."""
    facts = {"origin": Build.Origin.SUBMITTED, "status": Build.Status.FINISHED}
    return Build.objects.bulk_create(
        Build(
            repository=repository,
            number=number,
            commit=hashlib.sha1(f"{repository.pk}/{number}".encode()).hexdigest(),  # noqa: S324 - as git names commits
            requested_by_id=repository.owner_id,
            **facts,
        )
        for repository in found
        for number in range(1, BUILDS + 1)
    )


def results(chance: random.Random, benchmark: Benchmark, many: int, made: list[Build]) -> Iterator[Result]:
    """Results that are not stored yet, each with its figures."""
    papers = list(Paper.objects.exclude(arxiv_id=None).values_list("arxiv_id", flat=True))
    for number in range(many):
        record = record_of(chance, number, benchmark.dataset, papers)
        tier = Tier.VERIFIED if chance.random() < 0.1 else Tier.SELF_REPORTED
        build, text = chance.choice(made), json.dumps(record)
        result = Result(
            build=build,
            repository_id=build.repository_id,
            benchmark=benchmark,
            model_name=record["model"],
            model_key=model_key(str(record["model"])),
            tier=tier,
            samples=record["samples"],
            arxiv_id=record["arxiv_id"] or "",
            extra_training_data=record["declared"]["extra_training_data"],
            record=text,
            record_sha256=hashlib.sha256(text.encode()).hexdigest(),
        )
        result.made_of = figures_of(record, benchmark, tier=tier)
        result.rank_value = rank_value(result.made_of, benchmark)
        for key, value in sort_keys(result.model_name, result.made_of, benchmark).items():
            setattr(result, key, value)
        yield result


def store(found: Iterator[Result]) -> None:
    """Store results and their figures, a few thousand at a time."""
    while some := list(islice(found, 2000)):
        with transaction.atomic():
            Result.objects.bulk_create(some)
            for result in some:
                for figure in result.made_of:
                    figure.result = result
            Figure.objects.bulk_create([figure for result in some for figure in result.made_of], batch_size=5000)


def supersede(chance: random.Random, benchmark: Benchmark, many: int, made: list[Build]) -> None:
    """Older results, each superseded by a later one of its repository."""
    newest = dict(Result.objects.filter(benchmark=benchmark).order_by("id").values_list("repository", "id"))
    before = Result.objects.order_by("-id").values_list("id", flat=True)[0]
    store(results(chance, benchmark, many, [build for build in made if build.repository_id in newest]))
    old = list(Result.objects.filter(id__gt=before).only("id", "repository_id"))
    for result in old:
        result.superseded_by_id = newest[result.repository_id]
    Result.objects.bulk_update(old, ["superseded_by"], batch_size=1000)


def session_of(user: User) -> str:
    """The key of a session in which the user is signed in."""
    session = SessionStore()
    session[SESSION_KEY] = str(user.pk)
    session[BACKEND_SESSION_KEY] = settings.AUTHENTICATION_BACKENDS[0]
    session[HASH_SESSION_KEY] = user.get_session_auth_hash()
    session.save()
    return str(session.session_key)


def fill(many: int) -> dict[str, object]:
    """Make the site, and tell what is where."""
    prepare_site()
    chance = random.Random(2019)  # noqa: S311 - the same site every time
    owners = [User.objects.create_user(f"user-{number}") for number in range(40)]
    made = builds(repositories(chance, owners))
    boards = [Benchmark.objects.get(dataset=dataset, variant_of=None) for dataset in ("ImageNet", "CIFAR-10")]
    store(results(chance, boards[0], many, made))
    store(results(chance, boards[1], int(many * SECOND), made))
    supersede(chance, boards[0], int(many * SUPERSEDED), made)
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:  # what its autovacuum does by itself on a site that grows slowly
            cursor.execute("VACUUM ANALYZE")
    public = Repository.objects.filter(is_public=True).select_related("owner").order_by("id")[:10]
    conditions = Figure.objects.exclude(condition="").order_by("condition").values_list("condition", flat=True)
    shown = Result.objects.filter(repository__is_public=True, superseded_by=None, benchmark=boards[0]).order_by("id")
    return {
        "database": f"{connection.display_name} {'.'.join(map(str, connection.get_database_version()))}",
        "board": boards[0].slug,
        "session": session_of(owners[1]),
        "token": create_token(owners[1], name="benchmark")[1],
        "repositories": [f"/user/{found.owner.username}/repos/{found}" for found in public],
        "builds": [f"/builds/{found}/1" for found in public],
        "users": [f"/user/{owner.username}" for owner in owners[:10]],
        "papers": [f"/paper/{paper.slug}" for paper in Paper.objects.exclude(arxiv_id=None)[:10]],
        "results": list(shown.values_list("pk", flat=True)[: many : max(1, many // 10)]),
        "conditions": list(conditions.distinct()),
        "visible": leaderboard(boards[0], AnonymousUser()).count(),
    }


if __name__ == "__main__":
    print(json.dumps(fill(int(sys.argv[1]))))
