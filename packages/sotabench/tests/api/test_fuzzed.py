"""Requests that the OpenAPI description allows, and requests that it does not, made up by schemathesis."""

import json
from collections import Counter

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis.strategies import booleans
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import content_type_conformance, response_schema_conformance

from sotabench.server.accounts.services import create_token
from sotabench.server.api import v0, v1
from sotabench.server.benchmarks.services import add_known_benchmarks
from sotabench.server.papers.models import Paper

ALL = list(HealthCheck)
CHECKS = [not_a_server_error, content_type_conformance, response_schema_conformance]


@pytest.fixture(params=[v0.api, v1.api], ids=["v0", "v1"])
def description(request, live_server, vision, settings, tmp_path):
    settings.MEDIA_ROOT = tmp_path
    settings.API_REQUESTS_A_MINUTE = {"token": 10**6, "address": 10**6}
    add_known_benchmarks()
    found = schemathesis.openapi.from_dict(json.loads(json.dumps(request.param.get_openapi_schema(path_prefix=""))))
    found.config.update(base_url=f"{live_server.url}/api/v{request.param.version}/")
    return found


@pytest.fixture
def token(ada):
    return create_token(ada, name="fuzz")[1]


@pytest.fixture
def known(submit, record, resnexts):
    """Of each kind of thing one that is there, by the names that paths give them."""
    result = submit(record(), record(model="ResNeXt-101 64x4"))[0]
    paper = Paper.objects.get(arxiv_id=result.arxiv_id).slug

    def parameters(path):
        key = result.pk if path.startswith("/results") else result.repository_id
        slug = paper if path.startswith("/papers") else result.benchmark.slug
        owner, name = str(result.repository).split("/")
        return {
            "key": key, "number": 1, "run_number": 1, "slug": slug, "owner": owner, "name": name, "username": "ada",
            "identity": f"github.com/{owner}/{name}",
        }  # fmt: skip

    return parameters


def test_no_request_breaks_the_site_and_answers_are_as_described(description, known, token):
    operations = [found.ok() for found in description.get_all_operations()]
    statuses = Counter()
    for operation in operations:

        @settings(max_examples=10, deadline=None, derandomize=True, database=None, suppress_health_check=ALL)
        @given(case=operation.as_strategy(), is_there=booleans())
        def ask(case, is_there):
            if is_there and case.path_parameters and case.method == "GET":  # some writes ask the git host
                there = known(case.path)
                case.path_parameters = {name: there[name] for name in case.path_parameters}
            answer = case.call_and_validate(headers={"Authorization": f"Bearer {token}"}, checks=CHECKS)
            statuses[answer.status_code] += 1

        ask()
    assert statuses[200] > len(operations)
