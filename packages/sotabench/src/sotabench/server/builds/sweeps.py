"""What of builds is kept for a time alone: logs, and previews with all that came of them."""

from datetime import datetime, timedelta

from django.conf import settings

from sotabench.server.builds.models import Build, LogChunk
from sotabench.server.builds.queries import UNDER_WAY

_MOST_A_ROUND = 500


def remove_old_logs(now: datetime) -> int:
    """Remove the logs of attempts that ended long ago; how many chunks."""
    old = LogChunk.objects.filter(attempt__ended_at__lt=now - timedelta(days=settings.KEEP_DAYS))
    return LogChunk.objects.filter(pk__in=list(old.values_list("pk", flat=True)[: 20 * _MOST_A_ROUND])).delete()[0]


def remove_old_previews(now: datetime) -> int:
    """Remove previews that ended long ago, with their results; how many."""
    old = Build.objects.filter(is_preview=True, changed_at__lt=now - timedelta(days=settings.KEEP_DAYS))
    found = list(old.exclude(status__in=UNDER_WAY).values_list("pk", flat=True)[:_MOST_A_ROUND])
    Build.objects.filter(pk__in=found).delete()
    return len(found)
