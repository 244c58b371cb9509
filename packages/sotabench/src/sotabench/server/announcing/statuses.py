"""Commits on GitHub, GitLab, Gitea and Forgejo show how their builds stand. `Build.announced` is what was told last.

A token goes to the one host that it was given for. What cannot be told is tried again, later each time, and the
repository's settings say why.
"""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from itertools import groupby
from time import monotonic

from django.conf import settings
from django.db import connections
from django.db.models import F, Q
from django.utils import timezone

from benchrecord import printable
from sotabench.errors import SotabenchError
from sotabench.server.announcing.pauses import PATIENCE, build_address, pause
from sotabench.server.builds.models import Build
from sotabench.server.repositories import hosts
from sotabench.server.repositories.keys import HostAccess, host_access
from sotabench.server.repositories.models import Keys

STATES = {
    Build.Status.QUEUED: "pending",
    Build.Status.RUNNING: "pending",
    Build.Status.FINISHED: "success",
    Build.Status.FAILED: "failure",
    Build.Status.BROKEN: "error",
    Build.Status.CANCELLED: "error",
    Build.Status.SKIPPED: "error",
}
"""What a host is told. Of a build that was skipped it hears only when it was told before that the build waits."""

FORGOTTEN_AFTER = timedelta(days=3)
_MOST_HOSTS = 8
_MOST_A_ROUND = 200


def tell_hosts(now: datetime) -> int:
    """Tell every host that was not told yet how a build stands; how many were told. One thread a host."""
    waiting = Build.objects.exclude(announced=F("status")).filter(changed_at__gte=now - FORGOTTEN_AFTER)
    waiting = waiting.filter(Q(repository__keys__host_next_at=None) | Q(repository__keys__host_next_at__lte=now))
    waiting = waiting.filter(status__in=STATES).exclude(status=Build.Status.SKIPPED, announced="")
    waiting = waiting.exclude(origin=Build.Origin.SUBMITTED)
    waiting = waiting.exclude(repository__keys=None).exclude(repository__keys__host_token="")
    found = sorted(waiting.select_related("repository").order_by("changed_at")[:_MOST_A_ROUND], key=_host)
    groups = [list(builds) for _, builds in groupby(found, key=_host)]
    with ThreadPoolExecutor(_MOST_HOSTS, thread_name_prefix="tell") as threads:
        return sum(threads.map(_tell_all, groups))


def _host(build: Build) -> str:
    return build.repository.host


def _tell_all(builds: Sequence[Build]) -> int:
    told, failed, begun = 0, set(), monotonic()
    try:
        for number, build in enumerate(builds):
            if number and monotonic() - begun > PATIENCE:
                break
            if build.repository_id in failed:
                continue
            if _tell(build):
                told += 1
            else:
                failed.add(build.repository_id)
    finally:
        connections.close_all()
    return told


def _tell(build: Build) -> bool:
    """Whether the host knows now. What it was told is written down, also when the build has moved on meanwhile."""
    keys = Keys.objects.filter(repository=build.repository)
    try:
        if (access := host_access(build.repository)) is None:
            return False
        hosts.tell(access.identity, access.access, _state(build, access))
    except SotabenchError as error:
        failures = keys.values_list("host_failures", flat=True).get() + 1
        later = timezone.now() + pause(failures)
        keys.update(host_failures=failures, host_next_at=later, host_trouble=printable(str(error), 490))
        return False
    Build.objects.filter(pk=build.pk).update(announced=build.status)
    keys.update(host_failures=0, host_next_at=None, host_trouble="")
    return True


def _state(build: Build, access: HostAccess) -> hosts.State:
    identity = access.identity
    name = f"{identity.owner_name}/{identity.name}"
    url = build_address(settings.URL_PUBLIC, identity.host, name, build.number)
    words = printable(f"{build.get_status_display()}: {build.reason}".removesuffix(": "), 140)
    return hosts.State(build.commit, STATES[Build.Status(build.status)], url, words)
