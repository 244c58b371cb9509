"""Records that a stranger made to break the site, or that are simply long."""

import json

import numpy as np
import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from benchrecord import PredictionsBuilder, write_predictions
from sotabench.server.accounts.services import create_token
from sotabench.server.benchmarks.models import Benchmark, Result
from sotabench.server.errors import Conflict, Invalid
from sotabench.server.repositories.identity import identity_of
from sotabench.server.repositories.services import connect_repository

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("benchmarks")]
COMMIT = "0123456789abcdef0123456789abcdef01234567"
INVISIBLE = "\u202e" * 300


def test_names_that_grow_when_they_are_made_visible_still_fit(submit, record):
    facts = {"name": "ImageNet", "version": INVISIBLE, "samples": 50_000, "size": 50_000}
    environment = {"accelerator": INVISIBLE}
    (result,) = submit(record(model=INVISIBLE, dataset=facts, environment=environment))
    assert len(result.model_name) <= 300
    assert len(result.model_key) <= 300
    assert len(result.benchmark.dataset) <= 200
    assert len(result.benchmark.why_variant) <= 200
    assert max(len(figure.condition) for figure in result.figures.all()) <= 300


def test_more_images_than_a_database_counts_are_refused(submit, record):
    with pytest.raises(Invalid, match="samples"):
        submit(record(samples=2**31))


def test_versions_that_are_spelt_alike_in_an_address_have_one_each(submit, record):
    found = []
    for version in ("v 2", "v-2", "V-2", "v.. 2"):
        (result,) = submit(record(dataset={"version": version, "samples": 50_000}))
        found.append(result.benchmark)
    assert len({benchmark.slug for benchmark in found}) == 4


def test_fingerprints_that_begin_alike_have_an_address_each(submit, record):
    facts = [{"samples": 20, "fingerprint": "a" * 12 + end * 52} for end in "bcd"]
    slugs = {submit(record(samples=20, dataset=fact))[0].benchmark.slug for fact in facts}
    assert len(slugs) == 3
    assert "image-classification-on-imagenet-sample-20" in slugs
    assert Benchmark.objects.filter(is_listed=False).count() == 3


def test_private_is_refused_where_everybody_sees_it(ada, vision):
    with pytest.raises(Conflict, match="public"):
        connect_repository(ada, identity_of("pytorch/vision"), is_public=False)
    vision.is_public = False
    vision.save()
    assert connect_repository(ada, identity_of("pytorch/vision"), is_public=True) == vision
    vision.refresh_from_db()
    assert not vision.is_public


def test_repository_whose_name_ends_in_git_twice_has_a_page(client, ada):
    made = connect_repository(ada, identity_of("https://github.com/ada/net.git.git"))
    assert client.get(f"/user/ada/repos/ada/{made.name}").status_code == 200


def test_badge_of_a_result_without_the_ranking_metric_is_no_error(client, submit, record):
    (result,) = submit(record())
    result.benchmark.metrics.filter(position=0).update(name="Renamed Accuracy")
    assert client.get("/api/v0/badge/gh/pytorch/vision").json()["message"] == "no results yet"


@pytest.fixture
def send(ada):
    """Submit by HTTP as Ada: records, and the files that they name."""
    client = Client(headers={"Authorization": f"Bearer {create_token(ada, name='test')[1]}"})

    def sent(records, files, repository="pytorch/vision"):
        content = SimpleUploadedFile("records.json", json.dumps(records).encode())
        predictions = [SimpleUploadedFile(path.name, path.read_bytes()) for path in files]
        facts = {"repository": repository, "commit": COMMIT, "records": content, "predictions": predictions}
        return client.post("/api/v1/submissions", facts)

    return sent


@pytest.fixture
def with_predictions(tmp_path, record, settings):
    """A record of three images of CIFAR-10, and its predictions file."""
    settings.MEDIA_ROOT = tmp_path / "site"

    def made(number):
        builder = PredictionsBuilder(classes=10)
        builder.add(["a", "b", "c"], np.roll(np.eye(10), number, axis=1)[:3] + number)
        written = write_predictions(tmp_path / f"{number}.npz", builder.finish())
        named = {"name": written.name, "size": written.size, "sha256": written.sha256}
        whole = record(model=f"net {number}", dataset_name="CIFAR-10", samples=3, dataset={}, predictions=named)
        return whole, tmp_path / written.name

    return made


@pytest.mark.usefixtures("vision")
def test_as_many_files_as_records_come_in(send, with_predictions):
    made = [with_predictions(number) for number in range(120)]
    answer = send([one for one, _ in made], [path for _, path in made])
    assert answer.status_code == 200, answer.content
    assert Result.objects.exclude(predictions="").count() == 120


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("vision")
def test_nobody_waits_for_the_database_while_files_are_looked_at(send, with_predictions):
    whole, path = with_predictions(1)
    path.write_bytes(path.read_bytes()[:-9])
    with CaptureQueriesContext(connection) as queries:
        assert send([whole], [path]).status_code == 400
    assert not [query for query in queries if query["sql"].startswith(("BEGIN", "SAVEPOINT"))]


def test_files_for_somebody_elses_repository_are_not_even_kept(send, with_predictions, vision, bob, settings):
    vision.owner = bob
    vision.save()
    whole, path = with_predictions(1)
    assert send([whole], [path]).status_code == 403
    assert not settings.MEDIA_ROOT.exists()
