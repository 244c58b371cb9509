"""A file goes to a site in parts. Killed and begun again, only the parts that are not there yet are sent."""

import hashlib
from collections.abc import Callable
from pathlib import Path

from sotabench.client import Json, Site, put
from sotabench.errors import Unusable

PART_SIZE = 64 << 20
_MOST_PARTS = 1000

Progress = Callable[[int, int], None]


def upload_dataset(
    site: Site, repository: str, file: Path, path: str, *, part_size: int = PART_SIZE, progress: Progress
) -> Json:
    """The upload as it ended: `exists` when the repository has these bytes there already.

    `progress` is called with the bytes that are there and the bytes of the whole. Raises Unusable when the file cannot
    be read or changes meanwhile, SiteRefused, SiteUnreachable.
    """
    size, sha256 = _facts(file)
    part_size = max(part_size, -(-size // _MOST_PARTS))
    announced = {"repository": repository, "path": path, "size": size, "sha256": sha256, "part_size": part_size}
    upload = site.post("v0/upload/start/", announced)
    if upload["state"] == "exists":
        return upload
    while part := site.post("v0/upload/part/reserve/", {"upload_id": upload["id"]}):
        begin = (part["no"] - 1) * part_size
        _send(site, part, _read(file, begin, part["size"]))
        progress(begin + part["size"], size)
    return site.post("v0/upload/end/", {"upload_id": upload["id"]})


def _send(site: Site, part: Json, content: bytes) -> None:
    started = site.post("v0/upload/part/start/", part | {"sha256": hashlib.sha256(content).hexdigest()})
    etag = put(started["presigned_url"], content)
    site.post("v0/upload/part/end/", started | {"etag": etag})


def _facts(file: Path) -> tuple[int, str]:
    try:
        with file.open("rb") as opened:
            digest = hashlib.file_digest(opened, "sha256")
            return opened.tell(), digest.hexdigest()
    except OSError as error:
        raise Unusable(f"expected a file to upload, found {str(file)!r}: {error.strerror}") from error


def _read(file: Path, begin: int, size: int) -> bytes:
    try:
        with file.open("rb") as opened:
            opened.seek(begin)
            content = opened.read(size)
    except OSError as error:
        raise Unusable(f"expected {str(file)!r} to stay readable, found: {error.strerror}") from error
    if len(content) != size:
        raise Unusable(f"expected {str(file)!r} to stay as it was, found it shorter; upload it again")
    return content
