"""Every address that changes something, tried by those who may not; one that is missing in the table fails.

The addresses are those of the URL configuration: what answers to a writing method with anything but 405 is a write.
"""

import hashlib
import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import pytest
from django.apps import apps
from django.core.cache import cache
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from site_routes import all_routes

from sotabench.server.accounts.models import Scope
from sotabench.server.accounts.services import create_token
from sotabench.server.benchmarks.services import add_known_benchmarks
from sotabench.server.builds.models import Build
from sotabench.server.builds.services import create_build

METHODS = ("POST", "PUT", "PATCH", "DELETE")
OTHERS = ("admin/", "accounts/")
"""Pages of Django and allauth: tried below as a whole."""

NAMES_AGAIN = {"settings/repositories", "api/v1/repositories"}
"""What is ada's already becomes hers once more."""

READS_WHATEVER_THE_METHOD = {"api/v0/", "api/runner/", "api/v1/", "api/v1/openapi.json", "api/v1/docs"}
KEPT, NEW = b"ten bytes!", b"others, 10"
Body = Callable[[SimpleNamespace], dict[str, Any]]


@dataclass(frozen=True)
class Write:
    """A write, and the statuses for a stranger, for another user, for the wrong door, and for who may do it.

    The wrong door of the API is a token of the other scope; that of a page is a token at all, without a session.
    """

    method: str
    route: str
    body: Body = field(default=lambda made: {})
    scope: str = ""
    stranger: int = 401
    other: int = 403
    wrong: int = 403
    done: int = 200

    @property
    def is_page(self) -> bool:
        return not self.route.startswith("api/")


def submission(made):
    record = {
        "format": 1, "model": "ResNet-50", "task": "Image Classification", "dataset_name": "ImageNet",
        "samples": 50_000, "results": {"Top 1 Accuracy": 0.5},
    }  # fmt: skip
    content = SimpleUploadedFile("records.json", json.dumps([record]).encode())
    return {"repository": "pytorch/vision", "commit": "1" * 40, "records": content}


def upload(made):
    return announced("new", NEW)


def announced(path, content):
    digest = hashlib.sha256(content).hexdigest()
    return {"repository": "pytorch/vision", "path": path, "size": 10, "sha256": digest, "part_size": 10}


def part(made):
    return {"upload": made.upload, "no": 1}


OF_REPOSITORY = "settings/repositories/<path:identity>/"
V0, V1 = "api/v0/", "api/v1/"
SUBMIT, MANAGE = Scope.SUBMIT, Scope.MANAGE
WRITES = [
    Write("PATCH", V0 + "repositories/<owner>/<name>/", lambda made: {"build_enabled": False}, MANAGE),
    Write("DELETE", V0 + "repositories/<owner>/<name>/datasets/", lambda made: {"dataset": ".data/kept"}, SUBMIT),
    Write("POST", V0 + "builds/<owner>/<name>/", lambda made: {"branch": "-x"}, MANAGE, done=400),
    Write("POST", V0 + "upload/start/", upload, SUBMIT),
    Write("POST", V0 + "upload/part/reserve/", lambda made: {"upload_id": made.upload}, SUBMIT, other=404),
    Write("POST", V0 + "upload/part/start/", part, SUBMIT, other=404),
    Write("POST", V0 + "upload/part/end/", part, SUBMIT, other=404, done=409),
    Write("POST", V0 + "upload/end/", lambda made: {"upload_id": made.upload}, SUBMIT, other=404, done=409),
    Write("POST", V1 + "repositories/<key>/builds/<number>/cancel", scope=MANAGE),
    Write("POST", V1 + "repositories/<key>/builds/<number>/again", scope=MANAGE),
    Write("POST", V1 + "repositories/<key>/builds", lambda made: {"branch": "-x"}, MANAGE, done=400),
    Write("PATCH", V1 + "repositories/<key>", lambda made: {"is_polled": False}, MANAGE),
    Write("POST", V1 + "repositories/<key>/webhook", scope=MANAGE),
    Write("POST", V1 + "repositories/<key>/deploy-key", scope=MANAGE),
    Write("DELETE", V1 + "repositories/<key>/connection", scope=MANAGE, done=409),
    Write("DELETE", V1 + "repositories/<key>/datasets", lambda made: {"path": ".data/kept"}, SUBMIT),
    Write("POST", V1 + "repositories", lambda made: {"address": "pytorch/vision"}, MANAGE),
    Write("POST", V1 + "proofs", lambda made: {"address": "https://127.0.0.1/a/b"}, MANAGE, other=502, done=502),
    Write("POST", V1 + "submissions", submission, SUBMIT),
    Write("POST", "builds/<path:identity>/<int:number>/cancel", stranger=302, wrong=302, done=302),
    Write("POST", "builds/<path:identity>/<int:number>/again", stranger=302, wrong=302, done=302),
    Write("POST", "settings/tokens/<int:key>/revoke", stranger=302, other=404, wrong=302, done=302),
    Write(
        "POST", "settings/repositories/<path:identity>/visibility", lambda made: {"public": "no"},
        stranger=302, other=403, wrong=302, done=302,
    ),
    *(
        Write("POST", f"{OF_REPOSITORY}{end}", body, stranger=302, other=other, wrong=302, done=done)
        for end, body, other, done in (
            ("proof", lambda made: {"how": "host"}, 400, 400),
            ("settings", lambda made: {"default_branch": "dev"}, 403, 302),
            ("secrets/<slug:what>", lambda made: {}, 403, 200),
            ("forget-token", lambda made: {}, 403, 302),
            ("build", lambda made: {"branch": "-x"}, 403, 400),
            ("disconnect", lambda made: {}, 403, 409),
        )
    ),
    Write(
        "POST", "settings/repositories", lambda made: {"address": "pytorch/vision", "is_public": "on"},
        stranger=302, other=200, wrong=302, done=302,
    ),
]  # fmt: skip
OWN = [  # what everybody makes for themselves alone: nothing of another user can be meant
    Write("POST", "settings/tokens", lambda made: {"name": "n", "scopes": ["submit"]}, stranger=302, wrong=302),
]
OPEN = [  # what needs no token and stores nothing; for `auth/token/` the password is the permission
    Write("POST", V0 + "auth/token/", lambda made: {"username": "ada", "password": "wrong"}, done=401),
    Write("POST", V0 + "check/results/", lambda made: {"results": []}),
    Write("POST", V0 + "check/run-hashes/", lambda made: {"hashes": ["0"]}),
    Write("PUT", V0 + "part/<str:signed>", done=403),
    Write("POST", V1 + "proof-lines", lambda made: {"address": "a/b"}, done=401),
    Write("POST", "webhooks/<int:key>", done=403),
]
RUNNERS = [  # for runners alone: no user has such a token
    Write("POST", f"api/runner/{call}") for call in ("hello", "claim", "renew", "log", "inputs", "calls", "end")
]


@pytest.fixture
def made(ada, bob, vision, settings, tmp_path):
    """What the writes are about, all of it ada's; tokens of all kinds."""
    settings.MEDIA_ROOT = tmp_path
    settings.API_REQUESTS_A_MINUTE = {"token": 10**6, "address": 10**6}
    cache.clear()
    add_known_benchmarks()
    create_build(vision, ada, commit="0" * 40, origin=Build.Origin.REQUESTED)
    own_token, ada_submits = create_token(ada, name="submit", scopes=[SUBMIT])
    _, ada_manages = create_token(ada, name="manage", scopes=[MANAGE])
    _, bob_may = create_token(bob, name="all")
    tokens = {SUBMIT: ada_submits, MANAGE: ada_manages, "bob": bob_may}
    found = SimpleNamespace(tokens=tokens, key=vision.pk, token_key=own_token.pk, upload=0)
    _keep_a_dataset(found)
    found.upload = _json(found, "upload/start/", announced("begun", NEW))["id"]
    return found


def _json(made, path, body):
    answer = _send(Client(), "POST", f"/{V0}{path}", body, made.tokens[SUBMIT])
    assert answer.status_code == 200, answer.content
    return answer.json()


def _keep_a_dataset(made):
    made.upload = _json(made, "upload/start/", announced("kept", KEPT))["id"]
    reserved = _json(made, "upload/part/reserve/", {"upload_id": made.upload})
    address = _json(made, "upload/part/start/", reserved)["presigned_url"]
    etag = Client().put(address, KEPT).headers["ETag"]
    _json(made, "upload/part/end/", part(made) | {"etag": etag})
    _json(made, "upload/end/", {"upload_id": made.upload})


def _send(client, method, path, body, token=""):
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    if path.startswith(f"/{V1}submissions") or not path.startswith("/api/"):
        return client.post(path, body, headers=headers) if method == "POST" else client.generic(method, path)
    return client.generic(method, path, json.dumps(body), content_type="application/json", headers=headers)


def path_of(made, route):
    """The route with ada's things in it."""
    if route.startswith("settings/tokens/"):
        return "/" + re.sub("<int:key>", str(made.token_key), route)
    values = {
        "owner": "pytorch", "name": "vision", "identity": "pytorch/vision", "key": made.key, "number": 1,
        "username": "ada", "slug": "image-classification-on-imagenet", "signed": "unsigned", "run_number": 1,
        "what": "webhook",
    }  # fmt: skip
    simple = re.sub(r"\(\?P(<\w+>)[^)]*\)", r"\1", route).replace("^", "").replace("$", "")
    return "/" + re.sub(r"<(?:\w+:)?(\w+)>", lambda found: str(values.get(found[1], 1)), simple)


def everything():
    """All that the site has stored, but for when a token was last used, and sessions."""
    return {
        model.__name__: sorted(
            str({name: value for name, value in row.items() if name not in {"last_used_at", "last_login"}})
            for row in model.objects.values()
        )
        for model in apps.get_models()
        if model.__name__ != "Session"
    }


def client_of(user):
    client = Client()
    client.force_login(user)
    return client


def test_every_write_of_the_site_is_in_the_table(made, owner_of_site):
    _, token = create_token(owner_of_site, name="all")
    known = {(write.method, write.route) for write in [*WRITES, *OWN, *OPEN, *RUNNERS]}
    found = set()
    for route in all_routes():
        if route.startswith(OTHERS) or route in READS_WHATEVER_THE_METHOD:
            continue
        for method in METHODS:
            answer = _send(client_of(owner_of_site), method, path_of(made, route), {}, token)
            if answer.status_code != 405:
                found.add((method, route))
    assert found == known, "give each new write a row in WRITES, with who may not do it"


@pytest.mark.parametrize("write", WRITES, ids=lambda write: f"{write.method} {write.route}")
def test_write_is_its_owner_s_alone(made, ada, bob, write):
    path, before = path_of(made, write.route), everything()
    other_scope = made.tokens[MANAGE if write.scope == SUBMIT else SUBMIT]

    def status(client, token=""):
        return _send(client, write.method, path, write.body(made), token).status_code

    bobs = client_of(bob) if write.is_page else Client()
    assert status(Client()) == write.stranger
    assert status(bobs, "" if write.is_page else made.tokens["bob"]) == write.other
    assert status(Client(), other_scope) == write.wrong
    assert everything() == before
    adas = client_of(ada) if write.is_page else Client()
    assert status(adas, "" if write.is_page else made.tokens[write.scope]) == write.done
    assert write.done >= 400 or write.route in NAMES_AGAIN or everything() != before


@pytest.mark.parametrize("write", [*[one for one in WRITES if one.is_page], *OWN], ids=lambda write: write.route)
def test_page_is_written_by_a_form_of_this_site_alone(made, ada, write):
    before, client = everything(), Client(enforce_csrf_checks=True)
    client.force_login(ada)
    assert client.post(path_of(made, write.route), write.body(made)).status_code == 403
    assert everything() == before


@pytest.mark.parametrize("write", OWN, ids=lambda write: write.route)
def test_what_is_one_s_own_needs_a_session(made, write):
    before = everything()
    for token in ("", made.tokens[MANAGE]):
        answer = _send(Client(), write.method, path_of(made, write.route), write.body(made), token)
        assert answer.status_code == write.stranger
    assert everything() == before


@pytest.mark.parametrize("write", OPEN, ids=lambda write: write.route)
def test_call_that_is_open_to_all_stores_nothing(made, write):
    before = everything()
    assert _send(Client(), write.method, path_of(made, write.route), write.body(made)).status_code == write.done
    assert everything() == before


@pytest.mark.parametrize("write", RUNNERS, ids=lambda write: write.route)
def test_runners_calls_are_no_users(made, ada, write):
    before = everything()
    for client, token in ((Client(), ""), (Client(), made.tokens[MANAGE]), (client_of(ada), "")):
        answer = _send(client, write.method, path_of(made, write.route), {"slot": 0, "number": 0, "text": ""}, token)
        assert answer.status_code == write.stranger
    assert everything() == before


def test_nothing_else_changes_anything_whoever_asks(made, bob):
    """Pages of Django and allauth, without a form's content, and what reads whatever the method."""
    before = everything()
    for route in all_routes():
        if not (route.startswith(OTHERS) or route in READS_WHATEVER_THE_METHOD):
            continue
        for client in (Client(), client_of(bob)):
            for method in METHODS:
                status = client.generic(method, path_of(made, route)).status_code
                assert status < 500, route
                assert not (route.startswith("admin/") and status == 200 and "login" not in route), route
    assert everything() == before


def test_reading_changes_nothing_whoever_reads(made, ada):
    before = everything()
    for route in all_routes():
        for client in (Client(), client_of(ada)):
            assert client.get(path_of(made, route)).status_code < 500, route
    assert everything() == before
