import pytest

from sotabench.server.accounts.models import ApiToken
from sotabench.server.benchmarks.services import add_known_benchmarks
from sotabench.server.builds.models import Build
from sotabench.server.builds.services import create_build
from sotabench.server.repositories.services import withdraw_approval

VISION = "/api/v0/repositories/pytorch/vision/"
BUILDS = "/api/v0/builds/pytorch/vision/"
COMMIT = "0123456789abcdef0123456789abcdef01234567"
OLD_RECORD = {
    "model": "ResNeXt-101-32x8d",
    "model_description": None,
    "task": "Image Classification",
    "dataset_name": "ImageNet",
    "results": {"Top 1 Accuracy": 0.79312},
    "arxiv_id": "1611.05431",
    "pwc_id": None,
    "pytorch_hub_id": None,
    "paper_results": None,
    "speed_mem_metrics": {},
    "run_hash": "00",
}


def test_password_gives_a_token_that_works(stranger, ada):
    status, answer = stranger.ask(
        "POST", "/api/v0/auth/token/", {"username": "ada", "password": "correct horse battery"}
    )
    assert status == 200
    assert ApiToken.objects.get().user == ada
    assert answer["token"].startswith("sb_")


def test_wrong_password_gives_no_token(stranger, ada):
    status, answer = stranger.ask("POST", "/api/v0/auth/token/", {"username": "ada", "password": "wrong"})
    assert (status, list(answer)) == (401, ["message"])
    assert not ApiToken.objects.exists()


def test_guessing_passwords_is_stopped_even_when_the_right_one_comes(stranger, ada):
    wrong = {"username": "ada", "password": "wrong"}
    statuses = [stranger.ask("POST", "/api/v0/auth/token/", wrong)[0] for _ in range(6)]
    assert statuses == [401] * 5 + [429]
    right = {"username": "ada", "password": "correct horse battery"}
    assert stranger.ask("POST", "/api/v0/auth/token/", right)[0] == 429


def test_record_of_the_predecessor_passes_the_check(stranger):
    answer = stranger.ask("POST", "/api/v0/check/results/", {"results": [OLD_RECORD]})
    assert answer == (200, {"response": {"errors": []}})


def test_record_without_results_passes_the_check_because_nothing_was_measured_yet(stranger):
    answer = stranger.ask("POST", "/api/v0/check/results/", {"results": [OLD_RECORD | {"results": {}}]})
    assert answer == (200, {"response": {"errors": []}})


def test_check_names_record_and_rule(stranger):
    records = [OLD_RECORD, OLD_RECORD | {"results": {"Top 1 Accuracy": "good"}}]
    _, answer = stranger.ask("POST", "/api/v0/check/results/", {"results": records})
    (error,) = answer["response"]["errors"]
    assert error["error"].startswith("record 1: ")
    assert "Top 1 Accuracy" in error["error"]


def test_body_that_is_not_what_the_call_takes_is_a_400_with_a_list(stranger):
    status, answer = stranger.ask("POST", "/api/v0/check/results/", {"results": "all good"})
    assert status == 400
    assert "results" in answer["errors"][0]


def test_first_batch_proves_nothing(stranger):
    assert stranger.ask("POST", "/api/v0/check/run-hashes/", {"hashes": ["ab"]}) == (200, {"ab": False})
    assert stranger.ask("GET", "/api/v0/check/get_results_by_hash/?run_hash=ab") == (200, {})


def test_private_repository_looks_like_none_to_others(stranger, adas, bobs, vision):
    vision.is_public = False
    vision.save()
    assert stranger.ask("GET", VISION)[0] == bobs.ask("GET", VISION)[0] == 404
    assert stranger.ask("GET", "/api/v0/repositories/") == bobs.ask("GET", "/api/v0/repositories/ada/") == (200, [])
    assert adas.ask("GET", VISION)[1]["repository"] == "pytorch/vision"
    assert adas.ask("GET", VISION)[1] == adas.ask("GET", "/api/v0/repositories/ada/")[1][0]


def test_owner_turns_builds_off(adas_managing, vision):
    status, answer = adas_managing.ask("PATCH", VISION, {"build_enabled": False})
    assert (status, answer["build_enabled"]) == (200, False)
    vision.refresh_from_db()
    assert not vision.build_enabled


UPLOAD = {"repository": "pytorch/vision", "path": "a", "size": 1, "sha256": "0" * 64, "part_size": 1}
WRITES = [
    ("PATCH", VISION, {"build_enabled": False}),
    ("POST", BUILDS, {}),
    ("DELETE", f"{VISION}datasets/", {"dataset": ".data/a"}),
    ("POST", "/api/v0/upload/start/", UPLOAD),
]


@pytest.mark.parametrize(("method", "path", "body"), WRITES)
def test_nobody_else_writes(stranger, bobs, vision, method, path, body):
    assert stranger.ask(method, path, body)[0] == 401
    assert bobs.ask(method, path, body)[0] == 403
    vision.refresh_from_db()
    assert vision.build_enabled
    assert not vision.uploads.exists()


def test_token_of_the_wrong_scope_writes_nothing(adas_submitting, adas_managing, vision):
    for program, writes in ((adas_submitting, WRITES[:2]), (adas_managing, WRITES[2:])):
        assert [program.ask(*write)[0] for write in writes] == [403, 403]


def test_starting_a_build_says_why_there_is_none(adas, vision):
    withdraw_approval(vision)
    status, answer = adas.ask("POST", BUILDS)
    assert status == 409
    assert "not approved" in answer["message"]
    assert not Build.objects.exists()


def test_builds_are_listed_newest_first(stranger, ada, vision):
    for _ in range(2):
        create_build(vision, ada, commit=COMMIT, origin=Build.Origin.SUBMITTED)
    assert [row["run_number"] for row in stranger.ask("GET", BUILDS)[1]] == [2, 1]
    assert stranger.ask("GET", f"{BUILDS}1/")[1]["commit"] == COMMIT
    assert stranger.ask("GET", f"{BUILDS}3/")[0] == 404


def test_benchmarks_are_listed(stranger):
    add_known_benchmarks()
    slug = "image-classification-on-imagenet"
    assert slug in [row["slug"] for row in stranger.ask("GET", "/api/v0/benchmarks/")[1]]
    assert stranger.ask("GET", f"/api/v0/benchmarks/{slug}/")[1]["dataset"] == "ImageNet"
    assert stranger.ask("GET", "/api/v0/benchmarks/none/")[0] == 404


def test_badge_says_nothing_about_a_private_repository(stranger, vision):
    assert stranger.ask("GET", "/api/v0/badge/gh/pytorch/vision")[1]["message"] == "no results yet"
    vision.is_public = False
    vision.save()
    assert stranger.ask("GET", "/api/v0/badge/gh/pytorch/vision")[1]["message"] == "unknown repository"


def test_too_many_requests_are_told_when_to_come_again(stranger, adas, client, settings):
    settings.API_REQUESTS_A_MINUTE = {"token": 100, "address": 2}
    # A minute may end between two requests; then the count begins anew and the next ones exceed it.
    answer = next(found for _ in range(6) if (found := client.get("/api/v0/repositories/")).status_code != 200)
    assert answer.status_code == 429
    assert answer["X-Ratelimit-Limit"] == "2"
    assert answer["X-Ratelimit-Remaining"] == "0"
    assert 0 < int(answer["X-Ratelimit-Retry"]) == int(answer["X-Ratelimit-Reset"]) <= 60
    assert adas.ask("GET", "/api/v0/repositories/")[0] == 200
