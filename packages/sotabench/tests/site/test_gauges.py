"""Whoever runs the site sees how builds and runners stand."""

import pytest
from django.utils import timezone

from sotabench.server.builds import leases
from sotabench.server.builds.services import build_push
from sotabench.server.repositories.models import Repository

pytestmark = pytest.mark.django_db


def test_builds_their_stages_and_runners_are_told_to_prometheus(client, vision, ada):
    runner, _ = leases.create_runner("lab")
    build_push(vision, commit="a" * 40, branch="main")
    leases.claim(runner, slot=0)
    allowed = {"proven_by": "operator", "approved_at": timezone.now()}
    other = Repository.objects.create(host="example.org", owner_name="o", name="r", owner=ada, **allowed)
    build_push(other, commit="a" * 40, branch="main")
    text = client.get("/metrics").content.decode()
    assert 'sotabench_builds{status="running"} 1.0' in text
    assert 'sotabench_builds{status="queued"} 1.0' in text
    assert 'sotabench_builds{status="broken"} 0.0' in text
    assert 'sotabench_builds_running{stage="checkout"} 1.0' in text
    assert 'sotabench_runner_seen_seconds{runner="lab"}' in text
    assert "sotabench_longest_wait_seconds" in text
