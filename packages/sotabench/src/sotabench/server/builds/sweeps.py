"""What of builds is kept for a time alone."""

from datetime import datetime, timedelta

from django.conf import settings

from sotabench.server.builds.models import LogChunk

_MOST_A_ROUND = 10_000


def remove_old_logs(now: datetime) -> int:
    """Remove the logs of attempts that ended long ago; how many chunks."""
    old = LogChunk.objects.filter(attempt__ended_at__lt=now - timedelta(days=settings.KEEP_DAYS))
    return LogChunk.objects.filter(pk__in=list(old.values_list("pk", flat=True)[:_MOST_A_ROUND])).delete()[0]
