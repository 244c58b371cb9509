"""What happens to data sets: they arrive in parts, are checked as a whole, and are deleted.

    start_upload -> [reserve_part -> start_part -> receive_part (the PUT) -> end_part] for each part -> end_upload

A client that was killed starts the same upload again and is asked only for the parts that are not here yet.
"""

import re
from dataclasses import dataclass
from pathlib import Path

from django.db import transaction
from django.db.models import Count, Q, Sum
from django.utils import timezone

from sotabench.server.accounts.models import User
from sotabench.server.datasets.files import Readable, assemble, forget_parts, has_bytes, kept_file, normalised, receive
from sotabench.server.datasets.models import Dataset, Part, Upload
from sotabench.server.errors import Conflict, Invalid, NotFound
from sotabench.server.repositories.models import Repository
from sotabench.server.repositories.services import check_may_change

MOST_BYTES = 8 << 30
MOST_BYTES_A_USER = 64 << 30
MOST_UPLOADS_AT_ONCE = 100
MOST_BYTES_A_PART = 512 << 20
MOST_PARTS = 1000
SHA256 = r"[0-9a-f]{64}"
OPEN = (Upload.State.QUEUED, Upload.State.STARTED)


@dataclass(frozen=True)
class Announcement:
    """What a client says that it will send."""

    path: str
    size: int
    sha256: str
    part_size: int


@transaction.atomic
def start_upload(user: User, repository: Repository, wanted: Announcement) -> tuple[Upload, bool]:
    """The upload to go on with, and whether the repository has these very bytes at this path already.

    The same announcement again is the same upload: parts that somebody had begun to send, and parts whose bytes the
    disk lost, are to be sent again. With another content it takes the earlier one's place. Raises Forbidden, Invalid,
    Conflict.
    """
    check_may_change(user, repository)
    path = _checked(wanted)
    # The lock makes two clients that start at once one after the other.
    Repository.objects.select_for_update().get(pk=repository.pk)
    _check_no_file_is_folder(repository, path)
    if same := repository.datasets.filter(sha256=wanted.sha256, size=wanted.size).select_related("upload").first():
        _put_dataset(same.upload, path)
        return same.upload, True
    open_upload = repository.uploads.filter(path=path, state__in=OPEN).first()
    if open_upload and _is(open_upload, wanted):
        missing = [
            part.pk for part in open_upload.parts.all() if part.state != Part.State.QUEUED and not _is_here(part)
        ]
        open_upload.parts.filter(pk__in=missing).update(state=Part.State.QUEUED)
        return open_upload, False
    if open_upload:
        _forget(open_upload)
    _check_room(repository.owner, wanted.size)
    return _new_upload(user, repository, path, wanted), False


@transaction.atomic
def reserve_part(user: User, upload_id: int) -> Part | None:
    """A part that nobody is sending, now the caller's to send; None when there is none. Raises NotFound, Forbidden."""
    upload = _locked(user, upload_id)
    part = upload.parts.filter(state=Part.State.QUEUED).first() if upload.state in OPEN else None
    if part:
        part.state, part.started_time = Part.State.STARTED, timezone.now()
        part.save(update_fields=["state", "started_time"])
    return part


@transaction.atomic
def start_part(user: User, upload_id: int, no: int, *, sha256: str = "") -> Part:
    """The part, ready to be received; with `sha256` only these bytes will do. Raises NotFound, Conflict, Invalid."""
    if sha256 and not re.fullmatch(SHA256, sha256):
        raise Invalid("expected the part's sha256 as 64 hexadecimal digits, found something else")
    upload = _locked(user, upload_id)
    part = _part(upload, no)
    if upload.state not in OPEN or part.state == Part.State.FINISHED:
        raise Conflict(f"expected {part} to be still wanted, found it {part.state}, the upload {upload.state}")
    part.state, part.started_time, part.sha256 = Part.State.STARTED, timezone.now(), sha256
    part.save(update_fields=["state", "started_time", "sha256"])
    Upload.objects.filter(pk=upload.pk, state=Upload.State.QUEUED).update(state=Upload.State.STARTED)
    return part


def receive_part(part_pk: int, body: Readable) -> str:
    """Keep the bytes of a part and return its ETag. Raises NotFound, Conflict, and Invalid for other bytes."""
    part = Part.objects.select_related("upload__repository").filter(pk=part_pk).first()
    if part is None:
        raise NotFound("expected a part that is wanted, found none; start the upload again")
    if part.state != Part.State.STARTED or part.upload.state != Upload.State.STARTED:
        raise Conflict(f"expected {part} to be started, found it {part.state}, the upload {part.upload.state}")
    etag = receive(part, body)
    if part.sha256 and etag != part.sha256:
        raise Invalid(f"expected bytes of SHA-256 {part.sha256}, found {etag}; send {part} again")
    Part.objects.filter(pk=part.pk, state=Part.State.STARTED).update(etag=etag)
    return etag


@transaction.atomic
def end_part(user: User, upload_id: int, no: int, *, etag: str) -> Part:
    """The part, now here. Raises NotFound, and Conflict when `etag` is not what its PUT answered."""
    part = _part(_locked(user, upload_id), no)
    if not part.etag or etag.strip('"') != part.etag:
        raise Conflict(f"expected the ETag that the PUT of {part} answered, found another; send it again")
    part.state, part.finished_time = Part.State.FINISHED, timezone.now()
    part.save(update_fields=["state", "finished_time"])
    return part


def end_upload(user: User, upload_id: int) -> Upload:
    """The upload, finished: its bytes are the repository's data set now.

    Bytes that are not those announced end it as an error, and none of them are kept. Raises NotFound, and Conflict when
    parts are missing, it has ended already, or its path has become a folder of another's.
    """
    upload = _open(user, upload_id)
    parts = list(upload.parts.all())
    if missing := [part.no for part in parts if part.state != Part.State.FINISHED]:
        raise Conflict(f"expected all {len(parts)} parts, found {len(missing)} missing, the first one {missing[0]}")
    whole, sha256 = assemble(upload, parts)
    try:
        if sha256 == upload.sha256:
            _finish(upload, whole)
        else:
            _end(upload, Upload.State.ERROR)
    finally:
        whole.unlink(missing_ok=True)
    forget_parts(upload.pk)
    if sha256 != upload.sha256:
        raise Invalid(f"expected bytes of SHA-256 {upload.sha256}, found {sha256}; start the upload again")
    return upload


@transaction.atomic
def delete_dataset(user: User, dataset: Dataset) -> None:
    """Remove the data set, and its bytes where no other path of the repository has them. Raises Forbidden."""
    check_may_change(user, dataset.repository)
    Repository.objects.select_for_update().get(pk=dataset.repository_id)
    dataset.delete()
    _forget_bytes(dataset.repository, dataset.sha256)


@transaction.atomic
def remove_unless_wanted(repository_pk: int, sha256: str) -> bool:
    """Remove a kept file that no data set has; whether it did.

    The lock is what an upload that ends holds: the same bytes may come again the moment after they were deleted.
    """
    list(Repository.objects.select_for_update().filter(pk=repository_pk))
    if Dataset.objects.filter(repository=repository_pk, sha256=sha256).exists():
        return False
    kept_file(repository_pk, sha256).unlink(missing_ok=True)
    return True


def _checked(wanted: Announcement) -> str:
    """The normalised path. Raises Invalid for what is out of bounds."""
    path = normalised(wanted.path)
    if not re.fullmatch(SHA256, wanted.sha256):
        raise Invalid("expected the file's sha256 as 64 hexadecimal digits, found something else")
    if not 0 < wanted.size <= MOST_BYTES:
        raise Invalid(f"expected a file of 1 to {MOST_BYTES} bytes, found {wanted.size}; split it, or pack it smaller")
    if not 0 < wanted.part_size <= MOST_BYTES_A_PART:
        raise Invalid(f"expected parts of 1 to {MOST_BYTES_A_PART} bytes, found {wanted.part_size}")
    if _part_number(wanted) > MOST_PARTS:
        raise Invalid(f"expected at most {MOST_PARTS} parts, found {_part_number(wanted)}; make them larger")
    return path


def _is_here(part: Part) -> bool:
    return part.state == Part.State.FINISHED and has_bytes(part)


def _part_number(wanted: Announcement) -> int:
    return -(-wanted.size // wanted.part_size)


def _is(upload: Upload, wanted: Announcement) -> bool:
    found = (upload.size, upload.sha256, upload.part_size)
    return found == (wanted.size, wanted.sha256, wanted.part_size)


def _check_no_file_is_folder(repository: Repository, path: str) -> None:
    names = path.split("/")
    above = ["/".join(names[:count]) for count in range(2, len(names))]
    if clash := repository.datasets.filter(Q(path__in=above) | Q(path__startswith=f"{path}/")).first():
        raise Conflict(f"expected a path that is no folder of another, found {clash.path}; delete one or rename")


def _check_room(owner: User, size: int) -> None:
    """Counted over all repositories of an owner, since anybody can connect another one."""
    User.objects.select_for_update().get(pk=owner.pk)
    kept = Dataset.objects.filter(repository__owner=owner).aggregate(total=Sum("size"))["total"] or 0
    coming = Upload.objects.filter(repository__owner=owner, state__in=OPEN).aggregate(total=Sum("size"), n=Count("pk"))
    left = max(0, MOST_BYTES_A_USER - kept - (coming["total"] or 0))
    if size > left:
        raise Conflict(f"expected at most {left} more bytes for {owner}, found {size}; delete a data set first")
    if coming["n"] >= MOST_UPLOADS_AT_ONCE:
        raise Conflict(f"expected at most {MOST_UPLOADS_AT_ONCE} uploads at once, found them begun; end one first")


def _new_upload(user: User, repository: Repository, path: str, wanted: Announcement) -> Upload:
    number, part_size = _part_number(wanted), wanted.part_size
    upload = repository.uploads.create(
        user=user, path=path, size=wanted.size, sha256=wanted.sha256, part_size=part_size, part_number=number
    )
    sizes = [part_size] * (number - 1) + [wanted.size - part_size * (number - 1)]
    Part.objects.bulk_create(Part(upload=upload, no=no, size=size) for no, size in enumerate(sizes, start=1))
    return upload


def _open(user: User, upload_id: int) -> Upload:
    """The upload, if it goes on. Raises NotFound when it is nobody's or somebody else's, Conflict when it has ended."""
    upload = _of(user, upload_id, lock=False)
    if upload.state not in OPEN:
        raise Conflict(f"expected an upload that goes on, found it {upload.state}")
    return upload


def _locked(user: User, upload_id: int) -> Upload:
    return _of(user, upload_id, lock=True)


def _of(user: User, upload_id: int, *, lock: bool) -> Upload:
    found = Upload.objects.select_related("repository")
    found = found.select_for_update(of=("self",)) if lock else found
    upload = found.filter(pk=upload_id).first()
    if upload is None or (upload.repository.owner_id != user.pk and not user.is_superuser):
        raise NotFound(f"expected an upload of yours, found none with number {upload_id}")
    return upload


def _part(upload: Upload, no: int) -> Part:
    if part := upload.parts.filter(no=no).first():
        part.upload = upload
        return part
    raise NotFound(f"expected a part of {upload} from 1 to {upload.part_number}, found {no}")


@transaction.atomic
def _finish(upload: Upload, whole: Path) -> None:
    _end(upload, Upload.State.FINISHED)
    Repository.objects.select_for_update().get(pk=upload.repository_id)
    _check_no_file_is_folder(upload.repository, upload.path)
    _put_dataset(upload, upload.path)
    whole.replace(kept_file(upload.repository_id, upload.sha256))


def _end(upload: Upload, state: Upload.State) -> None:
    if not Upload.objects.filter(pk=upload.pk, state__in=OPEN).update(state=state):
        raise Conflict(f"expected {upload} to go on still, found it ended; look again")
    upload.state = state


def _put_dataset(upload: Upload, path: str) -> None:
    """Make the upload's bytes the data set at `path`, in the place of what was there."""
    repository = upload.repository
    earlier = repository.datasets.filter(path=path).first()
    facts = {"upload": upload, "size": upload.size, "sha256": upload.sha256}
    Dataset.objects.update_or_create(repository=repository, path=path, defaults=facts)
    if earlier and earlier.sha256 != upload.sha256:
        _forget_bytes(repository, earlier.sha256)


def _forget_bytes(repository: Repository, sha256: str) -> None:
    """Remove a file that no data set of the repository has any more, when the transaction has gone through."""
    if not repository.datasets.filter(sha256=sha256).exists():
        transaction.on_commit(lambda: remove_unless_wanted(repository.pk, sha256))


def _forget(upload: Upload) -> None:
    key = upload.pk
    upload.delete()
    transaction.on_commit(lambda: forget_parts(key))
