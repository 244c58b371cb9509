"""An owner hears when a build no longer works, and when a result fell by more than chance allows.

It fell when the exact McNemar test on the same images says p < 0.05 and fewer are right than in the result that it took
the place of. By mail it goes to an address that was verified, by HTTP signed with the repository's own secret.
"""

import hashlib
import hmac
import json
import logging
from collections import defaultdict
from datetime import datetime, timedelta
from smtplib import SMTPException
from time import monotonic

from allauth.account.models import EmailAddress
from django.conf import settings
from django.core.mail import send_mail
from django.utils import timezone

from benchrecord import BenchRecordError, printable
from sotabench.errors import SotabenchError
from sotabench.server.announcing.models import Announcement
from sotabench.server.announcing.pauses import MOST_TRIES, PATIENCE, build_address, pause
from sotabench.server.benchmarks.models import Result, Tier
from sotabench.server.benchmarks.ties import compare_results
from sotabench.server.builds.models import Build
from sotabench.server.outgoing import Question, Unanswered, ask
from sotabench.server.repositories.models import Keys, Repository
from sotabench.server.sealing import unseal

_LOG = logging.getLogger("sotabench.announcing")
CHANCE = 0.05
SIGNATURE = "X-Sotabench-Signature-256"
_LOOKED_BACK = timedelta(days=3)
_MOST_A_ROUND = 200
_ENDED = (Build.Status.FINISHED, Build.Status.FAILED, Build.Status.BROKEN)


def write_notices(now: datetime) -> int:
    """Look at every build that has ended since the last time; of how many there is something to say."""
    ended = Build.objects.filter(status__in=_ENDED, is_preview=False, announcement=None)
    ended = ended.filter(changed_at__gte=now - _LOOKED_BACK).exclude(origin=Build.Origin.SUBMITTED)
    count = 0
    for build in ended.select_related("repository").order_by("changed_at")[:_MOST_A_ROUND]:
        lines = _lines_or_none(build)
        subject = f"{build.repository} #{build.number}: {lines[0]}" if lines else ""
        words = "\n".join([*lines, _address(build)]).strip() if lines else ""
        facts = {"subject": printable(subject, 290), "words": words, "next_at": now if lines else None}
        _, is_new = Announcement.objects.get_or_create(build=build, defaults=facts)
        count += is_new and bool(lines)
    return count


def lines_about(build: Build) -> list[str]:
    """What its owner wants to hear of a build that has ended; nothing, mostly."""
    repository = build.repository
    if build.status != Build.Status.FINISHED:
        worked = _before(build)
        if repository.tells_breaks and worked is not None and worked.status == Build.Status.FINISHED:
            return [
                f"the build {build.status}, the one before (#{worked.number}) worked",
                printable(build.reason, 1000),
            ]
        return []
    if not repository.tells_falls:
        return []
    results = build.results.filter(tier=Tier.VERIFIED, carried_from=None).select_related("benchmark")
    return [line for result in results.order_by("pk") if (line := fall_of(result))]


def _lines_or_none(build: Build) -> list[str]:
    """The same; nothing for a build that cannot be judged, so that it keeps no other one from being told."""
    try:
        return lines_about(build)
    except (SotabenchError, BenchRecordError, OSError, ValueError):
        _LOG.exception("a build cannot be judged", extra={"facts": {"build": f"{build.repository} #{build.number}"}})
        return []


def fall_of(result: Result) -> str:
    """By how much the result fell against the one that it took the place of; empty unless that is no chance."""
    earlier = result.earlier.select_related("benchmark").order_by("-pk").first()
    compared = compare_results(result, earlier) if earlier else None
    if compared is None or compared.difference >= 0 or compared.p_value >= CHANCE:
        return ""
    name, points = printable(result.model_name, 100), -100 * compared.difference
    return (
        f"{name} on {printable(str(result.benchmark), 100)} fell by {points:.2f} points "
        f"({compared.only_second} images lost, {compared.only_first} won, p = {compared.p_value:.2g})"
    )


def send_notices(now: datetime) -> int:
    """Send what was not sent yet, and again later what could not be; how many were sent.

    An address whose host is slow keeps only its own notices waiting.
    """
    waiting = Announcement.objects.filter(next_at__lte=now).select_related("build__repository__owner")
    count, taken = 0, defaultdict[str, float](float)
    for notice in waiting.order_by("next_at")[:_MOST_A_ROUND]:
        host = notice.build.repository.tells_url.removeprefix("https://").partition("/")[0]
        if host and taken[host] > PATIENCE:
            continue
        begun = monotonic()
        count += _send(notice)
        taken[host] += monotonic() - begun
    return count


def _send(notice: Announcement) -> bool:
    repository = notice.build.repository
    try:
        if not notice.is_mailed:
            _mail(notice, repository)
            notice.is_mailed = True
        if not notice.is_posted:
            _post(notice, repository)
            notice.is_posted = True
    except (SotabenchError, SMTPException, OSError) as error:
        notice.failures += 1
        notice.trouble = printable(str(error), 490)
        notice.next_at = timezone.now() + pause(notice.failures) if notice.failures < MOST_TRIES else None
    else:
        notice.next_at, notice.trouble = None, ""
    notice.save()
    return notice.is_mailed and notice.is_posted


def _mail(notice: Announcement, repository: Repository) -> None:
    if not repository.tells_by_mail:
        return
    verified = EmailAddress.objects.filter(user=repository.owner, verified=True).order_by("-primary", "pk").first()
    if verified is not None:
        send_mail(notice.subject, notice.words, settings.DEFAULT_FROM_EMAIL, [verified.email])


def _post(notice: Announcement, repository: Repository) -> None:
    if not repository.tells_url:
        return
    build = notice.build
    said = {
        "repository": f"{repository.host}/{repository}",
        "build": build.number,
        "commit": build.commit,
        "status": build.status,
        "words": notice.words,
        "url": _address(build),
    }
    body = json.dumps(said).encode()
    keys = Keys.objects.filter(repository=repository).first()
    secret = unseal(keys.notice_secret) if keys else ""
    signature = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest() if secret else ""
    headers = {"Content-Type": "application/json", **({SIGNATURE: f"sha256={signature}"} if signature else {})}
    answer = ask(Question(repository.tells_url, "POST", headers, body))
    if not answer.is_success:
        raise Unanswered(f"expected the notice to be taken, found status {answer.status}")


def _before(build: Build) -> Build | None:
    """The build of the same repository that ended before this one began."""
    earlier = Build.objects.filter(repository=build.repository, number__lt=build.number, status__in=_ENDED)
    earlier = earlier.filter(is_preview=False).exclude(origin=Build.Origin.SUBMITTED)
    return earlier.order_by("-number").first()


def _address(build: Build) -> str:
    repository = build.repository
    return build_address(settings.URL_PUBLIC, repository.host, str(repository), build.number)
