"""Where uploaded bytes lie on disk, and what a stranger's path may be.

Names on disk are numbers and digests only; the path that somebody chose is text in the database.
"""

import hashlib
import math
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO, Protocol

from django.conf import settings

from benchrecord import printable
from sotabench.server.datasets.models import Part, Upload
from sotabench.server.errors import Conflict, Invalid

ROOT = ".data"
_CHUNK = 1 << 20
_COMING, _COMING_PREFIX = "coming", "coming-"
_KEPT, _KEPT_PREFIX = "kept", "whole-"
_LONGEST_PATH = 500
_LONGEST_NAME = 255


class Readable(Protocol):
    """What bytes are read from."""

    def read(self, size: int, /) -> bytes:
        """At most `size` bytes; none at the end."""


def normalised(path: str) -> str:
    """The path as `.data/a/b`; `a/b` and `./.data//a/./b` are the same one.

    Raises Invalid for an absolute path, `..`, a backslash, anything unprintable, and what no file system takes.
    """
    parts = [part for part in path.split("/") if part not in {"", "."}]
    below = parts[1:] if parts[:1] == [ROOT] else parts
    text = "/".join([ROOT, *below])
    strange = path.startswith("/") or path.endswith("/") or "\\" in path or not path.isprintable()
    too_long = len(text) > _LONGEST_PATH or any(len(part.encode()) > _LONGEST_NAME for part in below)
    if strange or too_long or ".." in parts or not below:
        raise Invalid(f"expected the path of a file below {ROOT}/ without '..', found {printable(path, 120)!r}")
    return text


def kept_file(repository_pk: int, sha256: str) -> Path:
    """Where a repository's finished file of these bytes lies."""
    return _folder() / _KEPT / str(repository_pk) / sha256


def receive(part: Part, body: Readable) -> str:
    """Keep a part's bytes and return their SHA-256; a part that was there is replaced at once or not at all.

    Raises Invalid, with nothing kept, when there are more or fewer bytes than the part has, and Conflict when another
    upload took the place of its one while they came.
    """
    target = _part_file(part)
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        with tempfile.NamedTemporaryFile(dir=target.parent, prefix=_COMING_PREFIX, delete=False) as file:
            try:
                digest = _copied(part, body, file)
                file.close()
                Path(file.name).replace(target)
            finally:
                Path(file.name).unlink(missing_ok=True)
    except FileNotFoundError as error:
        raise Conflict(f"expected {part} to be still wanted, found that another upload has taken its place") from error
    return digest


def _copied(part: Part, body: Readable, file: IO[bytes]) -> str:
    """The SHA-256 of the part's bytes, which are in the file now. Raises Invalid for more or fewer."""
    digest, left = hashlib.sha256(), part.size
    while chunk := body.read(min(_CHUNK, left + 1)):
        left -= len(chunk)
        if left < 0:
            break
        digest.update(chunk)
        file.write(chunk)
    if left != 0:
        raise Invalid(f"expected {part.size} bytes, found {'more' if left < 0 else part.size - left}")
    return digest.hexdigest()


def has_bytes(part: Part) -> bool:
    """Whether as many bytes as the part has are on the disk."""
    try:
        return _part_file(part).stat().st_size == part.size
    except FileNotFoundError:
        return False


def assemble(upload: Upload, parts: Iterable[Part]) -> tuple[Path, str]:
    """The parts in one file of its own, and its SHA-256. Raises Invalid when a part's bytes are gone."""
    digest = hashlib.sha256()
    folder = _folder() / _KEPT / str(upload.repository_id)
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=folder, prefix=_KEPT_PREFIX, delete=False) as whole:
        try:
            for part in parts:
                with _part_file(part).open("rb") as file:
                    while chunk := file.read(_CHUNK):
                        digest.update(chunk)
                        whole.write(chunk)
        except OSError as error:
            Path(whole.name).unlink(missing_ok=True)
            raise Invalid(f"expected {upload} to be here whole, found a part missing; start it again") from error
    return Path(whole.name), digest.hexdigest()


def forget_parts(upload_pk: int) -> None:
    """Remove the bytes of an upload's parts."""
    shutil.rmtree(_folder() / _COMING / str(upload_pk), ignore_errors=True)


def temporary_files() -> Iterator[Path]:
    """Files that would have got another name when they were whole; old ones are those of processes that were killed."""
    for kind, prefix in ((_COMING, _COMING_PREFIX), (_KEPT, _KEPT_PREFIX)):
        for folder in _listed(_folder() / kind):
            yield from (file for file in _listed(folder) if file.name.startswith(prefix))


def folders_of_parts() -> Iterator[tuple[int, Path]]:
    """The key of each upload that has bytes on the disk, and their folder."""
    yield from ((int(folder.name), folder) for folder in _listed(_folder() / _COMING))


def kept_files() -> Iterator[tuple[int, Path]]:
    """The key of a repository and a finished file, for all that there are; named by its SHA-256."""
    for folder in _listed(_folder() / _KEPT):
        found = (file for file in _listed(folder) if not file.name.startswith(_KEPT_PREFIX))
        yield from ((int(folder.name), file) for file in found)


def written_at(path: Path) -> float:
    """When it was last written, in seconds since 1970; infinity when it has just gone away."""
    try:
        return path.stat().st_mtime
    except FileNotFoundError:
        return math.inf


def _listed(folder: Path) -> list[Path]:
    return sorted(folder.iterdir()) if folder.is_dir() else []


def _part_file(part: Part) -> Path:
    return _folder() / _COMING / str(part.upload_id) / str(part.no)


def _folder() -> Path:
    return Path(settings.MEDIA_ROOT) / "datasets"
