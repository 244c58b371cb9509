"""Where no webhook can reach, the site asks: each repository's host every few minutes, one host's trouble its own."""

import secrets
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from itertools import groupby
from time import monotonic

from django.conf import settings
from django.db import connections
from django.utils import timezone

from benchrecord import printable
from sotabench.errors import SotabenchError
from sotabench.server.builds.services import build_push
from sotabench.server.errors import Invalid
from sotabench.server.repositories import remote
from sotabench.server.repositories.models import Repository, Watch
from sotabench.server.repositories.services import why_not_built

MOST_HOSTS = 16
MOST_A_ROUND = 500
PATIENCE = 60.0
"""Seconds after which a host's other repositories are left for the next round."""

_MOST_DOUBLINGS = 7


def ask_hosts(now: datetime) -> int:
    """Ask the hosts of all repositories whose time has come; how many were asked.

    One thread a host, so that a slow one keeps only its own repositories waiting.
    """
    _watch_new_ones(now)
    due = Watch.objects.filter(next_at__lte=now, repository__is_polled=True, repository__build_enabled=True)
    due = due.exclude(repository__proven_by="").select_related("repository__keys", "repository__owner")
    found = sorted(due.order_by("next_at")[:MOST_A_ROUND], key=lambda watch: watch.repository.host)
    hosts = [list(watches) for _, watches in groupby(found, key=lambda watch: watch.repository.host)]
    with ThreadPoolExecutor(MOST_HOSTS, thread_name_prefix="ask") as threads:
        return sum(threads.map(_ask_host, hosts))


def _watch_new_ones(now: datetime) -> None:
    new = Repository.objects.filter(watch=None, is_polled=True).exclude(proven_by="")
    Watch.objects.bulk_create(
        [Watch(repository=repository, next_at=now) for repository in new[:MOST_A_ROUND]], ignore_conflicts=True
    )


def _ask_host(watches: Sequence[Watch]) -> int:
    begun = monotonic()
    try:
        for asked, watch in enumerate(watches):
            if monotonic() - begun > PATIENCE:
                return asked
            ask_for(watch)
        return len(watches)
    finally:
        connections.close_all()


def ask_for(watch: Watch) -> None:
    """Ask for one repository's newest commit, build it if it is new, and say when to ask again."""
    repository = watch.repository
    if not why_not_built(repository):
        try:
            head = _head(repository)
            if head.commit != watch.commit:
                build_push(repository, commit=head.commit, branch=head.branch)
        except SotabenchError as error:
            watch.failures, watch.trouble = watch.failures + 1, printable(str(error), 490)
        else:
            watch.commit, watch.failures, watch.trouble = head.commit, 0, ""
        watch.asked_at = timezone.now()
    watch.next_at = timezone.now() + _pause(watch.failures)
    Watch.objects.filter(pk=watch.pk).update(
        **{name: getattr(watch, name) for name in ("commit", "failures", "trouble", "asked_at", "next_at")}
    )


def _head(repository: Repository) -> remote.Head:
    """The default branch's; where that is gone, what the host calls the default one now, which is followed."""
    try:
        return remote.Head(repository.default_branch, remote.branch_head(repository, repository.default_branch))
    except Invalid:
        head = remote.default_head(repository)
        Repository.objects.filter(pk=repository.pk).update(default_branch=head.branch)
        return head


def _pause(failures: int) -> timedelta:
    """Longer after every failure, and never the same for all, so that repositories spread over the minutes."""
    doubled = settings.POLL_MINUTES * 60 * 2 ** min(failures, _MOST_DOUBLINGS)
    return timedelta(seconds=doubled * (0.9 + secrets.randbelow(200) / 1000))
