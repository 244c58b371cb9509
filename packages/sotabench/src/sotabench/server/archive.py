"""A whole site in one archive, and back: the same archive whichever database holds the site.

The database is read in one snapshot, so what is written meanwhile is in the archive whole or not at all; writers do not
wait. Files are named by their digest and stored before the row that names them, so taking them after the snapshot
misses none; what is deleted while they are taken is missing. Not in it: sessions (everybody signs in anew), what
`sotabench serve` makes itself, and builds' copies of data sets, which `sotabench datasets add` makes again as they
were.
"""

import gzip
import io
import json
import os
import tarfile
import tempfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import IO, Any

from django.apps import AppConfig, apps
from django.conf import settings
from django.core import serializers
from django.core.management import call_command
from django.core.management.base import CommandError
from django.core.serializers.base import DeserializationError
from django.core.serializers.json import DjangoJSONEncoder
from django.db import DatabaseError, connection, transaction
from django.db.migrations.recorder import MigrationRecorder
from django.db.models import Model

from benchrecord import printable
from sotabench.errors import SotabenchError
from sotabench.server.accounts.models import User
from sotabench.server.folder import KNOWN_HOSTS, NUMBERS_SECRET, SECRET_KEY
from sotabench.server.repositories.models import Repository

FORMAT = 1
WORKING = "working-"
"""How the folders begin in which an archive is made or read; a killed process leaves one."""

_MANIFEST, _DATABASE, _FILES = "manifest.json", "database.jsonl", "files"
_GZIP = b"\x1f\x8b"
_KEPT = (SECRET_KEY, NUMBERS_SECRET, KNOWN_HOSTS)
_LEFT_OUT = frozenset({"contenttypes.contenttype", "auth.permission", "sessions.session", "admin.logentry"})


class BadArchive(SotabenchError):  # noqa: N818 - reads as the sentence it is
    """The archive, or the place that it should go to, is not as it has to be; nothing was restored."""


def write_archive(path: Path) -> None:
    """Write the archive, readable by its owner alone; an unfinished one never gets the name.

    Raises OSError, and BadArchive when there is no site to be kept, or no place for the archive.
    """
    if not _migrations():
        raise BadArchive(f"expected a site at {settings.DATA}, found none; is that the folder that --data should name?")
    _check_place(path)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file, tarfile.open(fileobj=file, mode="w:gz") as archive:
            _add_text(archive, _MANIFEST, json.dumps({"format": FORMAT, "migrations": _migrations()}))
            _add_database(archive)
            for name in _KEPT:
                if (settings.DATA / name).exists():
                    archive.add(settings.DATA / name, arcname=name, recursive=False)
            for stored in sorted(settings.MEDIA_ROOT.rglob("*")):
                add_file(archive, stored, f"{_FILES}/{stored.relative_to(settings.MEDIA_ROOT)}")
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def _check_place(path: Path) -> None:
    """Raise BadArchive where the archive would take the place of what is none: a database, a device, a folder."""
    if path.is_dir():
        raise BadArchive(f"expected a file to write to, found the folder {path}; name one in it, such as backup.tar.gz")
    if not path.parent.is_dir():
        raise BadArchive(f"expected a folder at {path.parent}, found none; make it, or name another place")
    if path.resolve().is_relative_to(settings.DATA):
        raise BadArchive(
            f"expected a place outside of the site's folder {settings.DATA}, found {path} in it; "
            "what happens to the one happens to the other"
        )
    if path.exists() and not (path.is_file() and _begin(path) in {b"", _GZIP}):
        raise BadArchive(f"expected a new file, or a backup to take the place of, found another file at {path}")


def _begin(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(len(_GZIP))


def restore_archive(path: Path) -> None:
    """Make this site, which must be empty, the archive's. Raises BadArchive, and then changed nothing but the schema.

    The archive is trusted as much as the person who restores it: its secret key becomes the site's. Its paths are not.
    """
    call_command("migrate", interactive=False, verbosity=0)
    if User.objects.exists() or Repository.objects.exists():
        raise BadArchive(f"expected an empty site at {settings.DATA}, found one in use; give --data another folder")
    try:
        with (
            gzip.open(path) as stream,
            tarfile.open(fileobj=stream, mode="r:") as archive,
            tempfile.TemporaryDirectory(dir=settings.DATA, prefix=WORKING) as folder,
        ):
            _check_manifest(archive)
            archive.extractall(folder, filter=_plain)  # noqa: S202 - the filter for data, made stricter
            while stream.read(1 << 20):  # to the end, where the check sum is
                pass
            _load(Path(folder))
    except (tarfile.TarError, gzip.BadGzipFile, zlib.error, EOFError, KeyError, ValueError) as error:
        raise BadArchive(f"expected an archive of `sotabench backup`, found: {error}") from error


def _load(folder: Path) -> None:
    """The database first, all or nothing; then the files, then the keys."""
    try:
        with transaction.atomic():
            call_command("loaddata", str(folder / _DATABASE), verbosity=0)
    except (CommandError, DeserializationError, DatabaseError) as error:
        raise BadArchive(f"expected rows that this version can load, found: {error}") from error
    for stored in sorted((folder / _FILES).rglob("*")):
        target = settings.MEDIA_ROOT / stored.relative_to(folder / _FILES)
        if stored.is_file():
            target.parent.mkdir(parents=True, exist_ok=True)
            stored.replace(target)
    for name in _KEPT:
        if (folder / name).exists():
            (folder / name).chmod(0o600)
            (folder / name).replace(settings.DATA / name)


def add_file(archive: tarfile.TarFile, path: Path, name: str) -> bool:
    """Add a regular file; whether it was one that is still there, since a site that runs also deletes."""
    try:
        if not path.is_file() or path.is_symlink():
            return False
        archive.add(path, arcname=name, recursive=False)
    except FileNotFoundError:
        return False
    return True


def _plain(member: tarfile.TarInfo, folder: str) -> tarfile.TarInfo | None:
    """What a backup has: a link would lead elsewhere from where its file belongs."""
    if not (member.isreg() or member.isdir()):
        raise BadArchive(f"expected plain files, found something else named {printable(member.name, 100)!r}")
    return tarfile.data_filter(member, folder)


def _check_manifest(archive: tarfile.TarFile) -> None:
    file = archive.extractfile(_MANIFEST)
    manifest = json.load(file) if file else None
    if not isinstance(manifest, dict) or manifest.get("format") != FORMAT:
        raise BadArchive("expected an archive of `sotabench backup`, found another")
    if manifest.get("migrations") != _migrations():
        raise BadArchive(
            "expected an archive of this version of sotabench, found one of another; "
            "restore it with the version that wrote it, then upgrade"
        )


def _migrations() -> list[list[str]]:
    return sorted([app, name] for app, name in MigrationRecorder(connection).applied_migrations())


def _add_database(archive: tarfile.TarFile) -> None:
    with tempfile.TemporaryDirectory(dir=settings.DATA, prefix=WORKING) as folder:
        dump = Path(folder) / _DATABASE
        with _snapshot(), dump.open("w", encoding="utf-8") as file:
            for model in serializers.sort_dependencies(_models(), allow_cycles=True):
                rows = model._base_manager.order_by("pk").iterator(chunk_size=500)  # noqa: SLF001 - Django's own dump does
                serializers.serialize("jsonl", rows, stream=file, use_natural_foreign_keys=True, cls=_Exact)
        archive.add(dump, arcname=_DATABASE, recursive=False)


def _models() -> list[tuple[AppConfig, list[type[Model]]]]:
    return [
        (app, [model for model in app.get_models() if model._meta.label_lower not in _LEFT_OUT])  # noqa: SLF001
        for app in apps.get_app_configs()
    ]


class _Exact(DjangoJSONEncoder):
    """Times to the microsecond: Django's own encoder cuts them."""

    def default(self, o: Any) -> Any:
        return o.isoformat() if isinstance(o, datetime) else super().default(o)


@contextmanager
def _snapshot() -> Iterator[None]:
    """Every query inside sees the database as it was at the first; nobody waits for it."""
    if connection.in_atomic_block:
        yield
    elif connection.vendor == "sqlite":
        with connection.cursor() as cursor:
            cursor.execute("BEGIN DEFERRED")
            try:
                yield
            finally:
                cursor.execute("ROLLBACK")
    else:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
            yield


def _add_text(archive: tarfile.TarFile, name: str, text: str) -> None:
    member = tarfile.TarInfo(name)
    content: IO[Any] = io.BytesIO(text.encode())
    member.size = len(text.encode())
    member.mode = 0o600
    archive.addfile(member, content)
