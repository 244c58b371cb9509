"""What keeps a repository from being built, and what its owner is told."""

from datetime import timedelta

import pytest
from django.utils import timezone

from sotabench.server.builds.models import Attempt, Build, Runner
from sotabench.server.builds.services import build_push
from sotabench.server.errors import Forbidden, Invalid
from sotabench.server.repositories.services import (
    approve,
    change_repository,
    check_branch,
    drain,
    why_not_built,
    withdraw_approval,
)

pytestmark = pytest.mark.django_db


def test_proven_and_approved_repository_is_built(vision):
    assert why_not_built(vision) == ""


def test_nobody_builds_what_nobody_has_shown_to_control(vision):
    vision.proven_by = ""
    assert "shown" in why_not_built(vision)


def test_first_build_waits_for_the_sites_owner(vision, settings):
    withdraw_approval(vision)
    assert "approved" in why_not_built(vision)
    settings.BUILD_APPROVAL = False
    assert why_not_built(vision) == ""
    settings.BUILD_APPROVAL = True
    approve(vision)
    assert why_not_built(vision) == ""


def test_sites_owners_own_repositories_need_no_approval(vision, owner_of_site):
    withdraw_approval(vision)
    vision.owner = owner_of_site
    assert why_not_built(vision) == ""


def test_draining_site_begins_nothing_until_it_is_turned_off(vision, settings):
    drain(on=True, reason="an update")
    assert "no new builds" in why_not_built(vision)
    drain(on=False)
    assert why_not_built(vision) == ""
    settings.DRAIN = True
    assert "no new builds" in why_not_built(vision)


def test_renamed_repository_is_not_built_under_its_old_name(vision):
    vision.moved_to = "pytorch/new"
    assert "pytorch/new" in why_not_built(vision)


def test_hours_of_the_last_thirty_days_are_counted(vision, settings):
    settings.BUILD_HOURS = 3
    runner = Runner.objects.create(name="here", digest="d")
    now = timezone.now()
    for number, (begun, hours) in enumerate(((1, 2), (2, 0.9), (40, 50)), 1):
        build = build_push(vision, commit=f"{number:040x}", branch="main")
        Build.objects.filter(pk=build.pk).update(status="finished")
        start = now - timedelta(days=begun)
        attempt = Attempt.objects.create(
            build=build, number=1, runner=runner, slot=0, digest=str(number), leased_until=now, deadline=now
        )
        end = start + timedelta(hours=hours)
        Attempt.objects.filter(pk=attempt.pk).update(started_at=start, ended_at=end)
    assert why_not_built(vision) == ""
    Attempt.objects.filter(digest="2").update(ended_at=now - timedelta(days=2) + timedelta(hours=1))
    assert "3.0 of its 3 hours" in why_not_built(vision)


def test_only_so_many_builds_wait(vision, settings):
    settings.BUILDS_WAITING = 1
    build_push(vision, commit="a" * 40, branch="main")
    assert "waiting already" in why_not_built(vision)


def test_owner_alone_changes_settings_and_only_what_is_his_to_change(vision, ada, bob):
    change_repository(ada, vision, has_network=True, default_branch="release/1.0")
    vision.refresh_from_db()
    assert (vision.has_network, vision.default_branch) == (True, "release/1.0")
    with pytest.raises(Forbidden):
        change_repository(bob, vision, has_network=False)
    with pytest.raises(TypeError):
        change_repository(ada, vision, proven_by="file")
    with pytest.raises(Invalid):
        change_repository(ada, vision, tells_url="http://example.org/")


@pytest.mark.parametrize("name", ["main", "release/1.0", "a@b", "feature-x", "\u00fcber"])
def test_name_that_git_allows_is_a_branch(name):
    assert check_branch(name) == name


@pytest.mark.parametrize(
    "name",
    ["", "-x", "--upload-pack=id", "a..b", "a b", "a~1", "a:b", "a/", "/a", "a//b", ".a", "a.lock", "@", "x@{1}",
     "a\nb", "a\0", "b" * 300, "a/-x"],
)  # fmt: skip
def test_name_that_git_forbids_or_would_take_for_an_option_is_none(name):
    with pytest.raises(Invalid):
        check_branch(name)
