"""Logs and previews are kept for a time; builds and their results for good."""

from datetime import timedelta

import pytest
from django.utils import timezone

from sotabench.server.benchmarks.scoring import carry_over
from sotabench.server.benchmarks.sweeps import remove_old_previews
from sotabench.server.builds.models import Attempt, Build, LogChunk, Runner
from sotabench.server.builds.services import build_push
from sotabench.server.builds.sweeps import remove_old_logs

pytestmark = pytest.mark.django_db


def test_logs_of_long_ago_are_removed_and_the_build_stays(vision, settings):
    now = timezone.now()
    runner = Runner.objects.create(name="here", digest="d")
    build = build_push(vision, commit="a" * 40, branch="main")
    attempt = Attempt.objects.create(
        build=build, number=1, runner=runner, slot=0, digest="x", leased_until=now, deadline=now, ended_at=now
    )
    LogChunk.objects.create(attempt=attempt, number=0, text="hello")
    assert remove_old_logs(now + timedelta(days=settings.KEEP_DAYS - 1)) == 0
    assert remove_old_logs(now + timedelta(days=settings.KEEP_DAYS + 1)) == 1
    assert Build.objects.count() == 1


def test_previews_of_long_ago_are_removed_with_their_results_unless_they_run(vision, settings):
    later = timezone.now() + timedelta(days=settings.KEEP_DAYS + 1)
    for number, (status, is_preview) in enumerate((("finished", True), ("running", True), ("finished", False))):
        build = build_push(vision, commit=f"{number:040x}", branch="main")
        Build.objects.filter(pk=build.pk).update(status=status, is_preview=is_preview)
    assert remove_old_previews(timezone.now()) == 0
    assert remove_old_previews(later) == 1
    assert set(Build.objects.values_list("status", "is_preview")) == {("running", True), ("finished", False)}


def test_preview_whose_results_were_carried_over_stays_as_where_they_were_measured(score_answers, a_build, settings):
    later = timezone.now() + timedelta(days=settings.KEEP_DAYS + 1)
    preview = a_build(is_preview=True)
    measured = score_answers(30, build=preview)
    (carried,) = carry_over(a_build(), preview)
    Build.objects.filter(pk=preview.pk).update(status="finished")
    assert remove_old_previews(later) == 0
    carried.refresh_from_db()
    assert carried.carried_from == measured
    carried.delete()
    assert remove_old_previews(later) == 1
