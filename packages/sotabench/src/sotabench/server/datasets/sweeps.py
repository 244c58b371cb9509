"""What is left of uploads that nobody came back for."""

from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import Exists, OuterRef, Q, QuerySet

from sotabench.server.datasets.files import (
    folders_of_parts,
    forget_parts,
    kept_files,
    temporary_files,
    written_at,
)
from sotabench.server.datasets.models import Dataset, Part, Upload
from sotabench.server.datasets.services import OPEN, remove_unless_wanted

ABANDONED_AFTER = timedelta(days=7)
LEFT_OVER_AFTER = timedelta(days=1)


def forget_abandoned_uploads(now: datetime) -> int:
    """Forget uploads of which nothing was begun or came for a week, and ended ones whose data set is gone; how many."""
    count = 0
    for key in list(_abandoned(now).values_list("pk", flat=True)):
        with transaction.atomic():
            # Looked at again under the lock: its client may be back.
            upload = _abandoned(now).select_for_update(of=("self",)).filter(pk=key).first()
            if upload is None:
                continue
            upload.delete()
        forget_parts(key)
        count += 1
    return count


def remove_leftover_bytes(now: datetime) -> int:
    """Remove parts and files that no row speaks of, and temporary ones, a day after they were written; how many."""
    before = (now - LEFT_OVER_AFTER).timestamp()
    temporary = [file for file in temporary_files() if written_at(file) < before]
    for file in temporary:
        file.unlink(missing_ok=True)
    going_on = set(Upload.objects.filter(state__in=OPEN).values_list("pk", flat=True))
    lost = [key for key, folder in folders_of_parts() if key not in going_on and written_at(folder) < before]
    for key in lost:
        forget_parts(key)
    wanted = set(Dataset.objects.values_list("repository", "sha256"))
    unwanted = [
        (key, file.name) for key, file in kept_files() if (key, file.name) not in wanted and written_at(file) < before
    ]
    return len(temporary) + len(lost) + sum(remove_unless_wanted(key, sha256) for key, sha256 in unwanted)


def _abandoned(now: datetime) -> QuerySet[Upload]:
    quiet_since = now - ABANDONED_AFTER
    touched = Q(started_time__gte=quiet_since) | Q(finished_time__gte=quiet_since)
    alive = Part.objects.filter(touched, upload=OuterRef("pk"))
    return Upload.objects.filter(~Exists(alive), created_at__lt=quiet_since, datasets=None)
