"""What is left of results that did not come in, or were deleted."""

from datetime import datetime, timedelta
from pathlib import Path

from django.conf import settings

from sotabench.server.benchmarks.models import Result
from sotabench.server.benchmarks.results import PREDICTIONS

LEFT_OVER_AFTER = timedelta(days=1)


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
