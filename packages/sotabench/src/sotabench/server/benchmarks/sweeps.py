"""What of results is kept for a time alone: previews, and what is left of results that did not come in."""

from datetime import datetime, timedelta
from pathlib import Path

from django.conf import settings
from django.db.models import Exists, OuterRef

from sotabench.server.benchmarks.models import Result
from sotabench.server.benchmarks.results import PREDICTIONS
from sotabench.server.builds.models import Build
from sotabench.server.builds.queries import UNDER_WAY

LEFT_OVER_AFTER = timedelta(days=1)
_MOST_A_ROUND = 500


def remove_old_previews(now: datetime) -> int:
    """Remove previews that ended long ago, with their results; how many. Those that a later build carried over stay."""
    old = Build.objects.filter(is_preview=True, changed_at__lt=now - timedelta(days=settings.KEEP_DAYS))
    carried = Result.objects.filter(carried_from__build=OuterRef("pk"))
    found = old.exclude(status__in=UNDER_WAY).exclude(Exists(carried)).values_list("pk", flat=True)[:_MOST_A_ROUND]
    removed = list(found)
    Build.objects.filter(pk__in=removed).delete()
    return len(removed)


def remove_unnamed_predictions(now: datetime) -> int:
    """Remove predictions files that no result names, a day after a submission last brought them; how many."""
    root, before = Path(settings.MEDIA_ROOT), (now - LEFT_OVER_AFTER).timestamp()
    count = 0
    for folder in sorted(path for path in (root / PREDICTIONS).glob("*") if path.is_dir()):
        files = {str(file.relative_to(root)): file for file in folder.iterdir() if file.stat().st_mtime < before}
        named = set(
            Result.objects.filter(predictions__startswith=f"{PREDICTIONS}/{folder.name}/").values_list(
                "predictions", flat=True
            )
        )
        for name in files.keys() - named:
            files[name].unlink(missing_ok=True)
            count += 1
    return count
