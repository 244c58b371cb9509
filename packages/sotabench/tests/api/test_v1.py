import json

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile

from sotabench.server.accounts.models import Scope
from sotabench.server.accounts.services import create_token
from sotabench.server.benchmarks.models import Result
from sotabench.server.benchmarks.services import add_known_benchmarks
from sotabench.server.benchmarks.submissions import Submission, submit_records
from sotabench.server.builds.models import Build
from sotabench.server.builds.services import create_build
from sotabench.server.papers.models import Paper
from sotabench.server.repositories.models import Repository

COMMIT = "0123456789abcdef0123456789abcdef01234567"
IMAGENET = "/api/v1/benchmarks/image-classification-on-imagenet"


def record(model="ResNet-50", top_1=0.5, **changes):
    facts = {"format": 1, "task": "Image Classification", "dataset_name": "ImageNet", "samples": 50_000}
    return facts | {"model": model, "results": {"Top 1 Accuracy": top_1, "Top 5 Accuracy": 0.9}} | changes


def submit(user, repository, *records):
    return submit_records(user, repository, Submission(COMMIT, json.dumps(records).encode()))


@pytest.fixture(autouse=True)
def _benchmarks(db, settings, tmp_path):
    settings.MEDIA_ROOT = tmp_path
    add_known_benchmarks()


def test_leaderboard_is_best_first_and_in_pages(stranger, ada, vision):
    submit(ada, vision, *(record(f"model {place}", place / 100) for place in range(5)))
    _, page = stranger.ask("GET", f"{IMAGENET}/results?limit=2&offset=1")
    assert [row["model_name"] for row in page["items"]] == ["model 3", "model 2"]
    assert page["count"] == 5
    first = page["items"][0]["figures"][0]
    assert (first["name"], first["value"], first["tier"]) == ("Top 1 Accuracy", 0.03, "self-reported")


def test_superseded_result_leaves_the_leaderboard_but_stays_to_be_read(stranger, ada, vision):
    submit(ada, vision, record(top_1=0.5))
    submit(ada, vision, record(top_1=0.6))
    assert stranger.ask("GET", f"{IMAGENET}/results")[1]["count"] == 1
    older, newer = Result.objects.order_by("pk")
    _, found = stranger.ask("GET", f"/api/v1/results/{older.pk}")
    assert found["superseded_by"] == newer.pk
    assert found["record"]["results"]["Top 1 Accuracy"] == 0.5


@pytest.mark.parametrize("wrong", ["limit=0", "limit=201", "offset=-1", "offset=99999999999999999999", "limit=x"])
def test_page_out_of_bounds_is_refused(stranger, wrong):
    assert stranger.ask("GET", f"/api/v1/benchmarks?{wrong}")[0] == 400


def test_nothing_private_is_told(stranger, bobs, adas, ada, vision):
    build = submit(ada, vision, record(arxiv_id="1512.03385"))
    Paper.objects.create(title="Residual", slug="residual", arxiv_id="1512.03385")
    vision.is_public = False
    vision.save()
    key = Result.objects.get().pk
    at = f"/api/v1/repositories/{vision.pk}"
    hidden = [at, f"{at}/results", f"{at}/builds", f"{at}/builds/{build.number}", f"/api/v1/results/{key}"]
    lists = ["/api/v1/repositories", f"{IMAGENET}/results", "/api/v1/papers/residual/results"]
    for program in (stranger, bobs):
        assert [program.ask("GET", path)[0] for path in hidden] == [404] * 5
        assert [program.ask("GET", path)[1]["count"] for path in lists] == [0] * 3
    assert [adas.ask("GET", path)[0] for path in hidden] == [200] * 5
    assert [adas.ask("GET", path)[1]["count"] for path in lists] == [1] * 3


def submission(client, token, content, *, repository="ada/new", files=(), **changes):
    body = {"repository": repository, "commit": COMMIT, "records": SimpleUploadedFile("r.json", content)}
    if files:
        body["predictions"] = list(files)
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    return client.post("/api/v1/submissions", body | changes, headers=headers)


def test_submission_connects_the_repository_and_answers_with_its_results(client, ada):
    token = create_token(ada, name="t", scopes=[Scope.SUBMIT])[1]
    answer = submission(client, token, json.dumps([record("a"), record("b")]).encode())
    assert answer.status_code == 200, answer.content
    assert answer.json()["build"]["status"] == "finished"
    assert answer.json()["results"] == list(Result.objects.order_by("pk").values_list("pk", flat=True))
    assert Repository.objects.get().owner == ada


@pytest.mark.parametrize("content", [b"not JSON", b"[]", b"{}", b'[{"format": 1}]'])
def test_refused_submission_changes_nothing(client, ada, content):
    token = create_token(ada, name="t")[1]
    answer = submission(client, token, content)
    assert (answer.status_code, list(answer.json())) == (400, ["errors"])
    assert not Repository.objects.exists()
    assert not Build.objects.exists()


def test_submission_wants_a_token_of_the_owner_with_the_scope(client, ada, bob, vision):
    content = json.dumps([record()]).encode()
    managing = create_token(ada, name="m", scopes=[Scope.MANAGE])[1]
    bobs = create_token(bob, name="b")[1]
    statuses = [
        submission(client, token, content, repository="pytorch/vision").status_code for token in ("", managing, bobs)
    ]
    assert statuses == [401, 403, 403]
    assert not Build.objects.exists()


def test_file_that_no_record_names_is_refused(client, ada):
    token = create_token(ada, name="t")[1]
    stray = SimpleUploadedFile("stray.npz", b"bytes")
    answer = submission(client, token, json.dumps([record()]).encode(), files=[stray])
    assert answer.status_code == 400
    assert "stray.npz" in answer.json()["errors"][0]


def test_waiting_build_is_cancelled_by_its_owner_only(adas, bobs, adas_submitting, ada, vision):
    create_build(vision, ada, commit=COMMIT, origin=Build.Origin.REQUESTED)
    path = f"/api/v1/repositories/{vision.pk}/builds/1/cancel"
    assert [program.ask("POST", path)[0] for program in (bobs, adas_submitting)] == [403, 403]
    assert adas.ask("POST", path)[1]["status"] == "cancelled"
    assert adas.ask("POST", path)[0] == 409


def test_every_call_and_its_answer_are_described(client):
    description = client.get("/api/v1/openapi.json").json()
    calls = [call for path in description["paths"].values() for call in path.values()]
    assert len(calls) > 15
    assert all(call["description"] and call["responses"]["200"]["content"] for call in calls)
    page = client.get("/api/v1/docs").content.decode()
    assert "https://" not in page
