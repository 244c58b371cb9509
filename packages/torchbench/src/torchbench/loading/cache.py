"""The folder of prepared images: written by the first evaluation, read by every later one, bounded."""

import hashlib
import json
import os
import shutil
import stat
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from torchbench.loading.entry import Contents, Draft, Entry, Unusable, lock, read_contents
from torchbench.loading.normalise import Levels
from torchbench.loading.pixels import Pixels

SUFFIX = ".prepared"
PIECE = 2_500_000  # bytes that are read at once: enough to spread the cost of a call, few enough for a core's caches


@dataclass(frozen=True)
class Stored:
    """A file of the cache as it is listed; `contents` is None for one that is not readable any more."""

    key: str
    path: Path
    size: int
    used: float
    contents: Contents | None


class PreparedCache:
    """The entries of one folder, at most `limit` bytes; the least recently used make room."""

    def __init__(self, folder: Path, limit: int) -> None:
        self.folder = folder
        self.limit = limit

    def find(self, contents: Contents) -> Entry | None:
        """The entry with exactly these contents, now the most recently used one, or None."""
        path = self._path(contents)
        try:
            entry = Entry(path, contents)
        except Unusable:
            return None
        if not self.read_only:
            entry.touch()
        return entry

    def begin(self, contents: Contents) -> Draft:
        """A draft of an entry, after making room for it; raises Unusable when none can be written."""
        if self.read_only:
            raise Unusable("the folder is read-only")
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise Unusable(f"the folder cannot be made ({error})") from error
        draft = Draft(self._path(contents), contents)
        try:
            self._make_room(contents.file_bytes)
        except Unusable:
            draft.discard()
            raise
        return draft

    @property
    def read_only(self) -> bool:
        """Whether the folder is there to be read only; a folder whose mode says so is, for root too."""
        try:
            mode = self.folder.stat().st_mode
        except OSError:
            return False
        writable = stat.S_IWUSR | stat.S_IWGRP | stat.S_IWOTH
        return not mode & writable or not os.access(self.folder, os.W_OK)

    def entries(self) -> list[Stored]:
        """Every entry, the most recently used first."""
        stored = [_stored(path) for path in self.folder.glob(f"*{SUFFIX}")]
        return sorted((entry for entry in stored if entry is not None), key=lambda entry: -entry.used)

    def clear(self, keys: list[str] | None = None) -> list[Stored]:
        """Remove the entries of these keys (None: all of them) and every abandoned draft; what was removed."""
        self._remove_abandoned()
        doomed = [entry for entry in self.entries() if keys is None or entry.key in keys]
        for entry in doomed:
            entry.path.unlink(missing_ok=True)
        return doomed

    def _path(self, contents: Contents) -> Path:
        digest = hashlib.sha256(json.dumps(asdict(contents), sort_keys=True).encode()).hexdigest()
        return self.folder / f"{digest[:16]}{SUFFIX}"

    def _make_room(self, size: int) -> None:
        """Remove abandoned drafts, then the least recently used entries, until `size` more bytes keep the limit."""
        if size > self.limit:
            raise Unusable(f"it needs {readable_size(size)}, the limit is {readable_size(self.limit)}")
        self._remove_abandoned()
        entries = self.entries()
        while entries and sum(entry.size for entry in entries) + size > self.limit:
            entries.pop().path.unlink(missing_ok=True)
        free = shutil.disk_usage(self.folder).free
        if size > 0.95 * free:
            raise Unusable(f"it needs {readable_size(size)}, the disk has {readable_size(free)} left")

    def _remove_abandoned(self) -> None:
        """Remove the drafts that nobody holds a lock on: their writers were killed."""
        for draft in self.folder.glob("*.draft"):
            with suppress(Unusable, OSError):
                file = lock(draft)
                draft.unlink()
                os.close(file)


class PreparedPixels:
    """The crops of an entry; one that is damaged is decoded anew, said once, and the entry removed."""

    def __init__(self, entry: Entry, original: Pixels) -> None:
        self.piece = max(1, PIECE // entry.contents.crop_bytes)
        self._entry = entry
        self._original = original
        self._damaged = False

    def read(self, first: int, levels: Levels) -> None:
        """See Pixels."""
        try:
            self._entry.read(first, levels)
        except Unusable as error:
            if not self._damaged:
                self._damaged = True
                say(f"the prepared cache cannot be read further: {error}; decoding the images instead")
                self._entry.remove()
            self._original.read(first, levels)

    def describe(self) -> dict[str, str]:
        """See Pixels."""
        return self._original.describe()


class RecordedPixels:
    """Crops from elsewhere, each written to a draft on its way."""

    def __init__(self, original: Pixels, draft: Draft) -> None:
        self._original = original
        self._draft = draft
        self._full = False
        self.piece = original.piece

    def read(self, first: int, levels: Levels) -> None:
        """See Pixels."""
        self._original.read(first, levels)
        if self._full:
            return
        try:
            self._draft.write(first, levels)
        except OSError as error:
            self._full = True
            say(f"the prepared cache cannot be written further: {error}")

    def describe(self) -> dict[str, str]:
        """See Pixels."""
        return self._original.describe()


@contextmanager
def through_cache(cache: PreparedCache, contents: Contents, original: Pixels) -> Iterator[Pixels]:
    """Pixels for one pass: from the cache if it has them, else the original's, written to the cache if all are read."""
    entry = cache.find(contents)
    if entry is not None:
        try:
            yield PreparedPixels(entry, original)
        finally:
            entry.close()
        return
    try:
        draft = cache.begin(contents)
    except Unusable as reason:
        if not cache.read_only:
            say(f"no prepared cache is written to {cache.folder}: {reason}")
        yield original
        return
    say(f"writing the prepared cache: {readable_size(contents.file_bytes)} to {cache.folder}")
    with _finished(draft):
        yield RecordedPixels(original, draft)


@contextmanager
def _finished(draft: Draft) -> Iterator[None]:
    try:
        yield
    except BaseException:
        draft.discard()
        raise
    try:
        draft.finish()
    except OSError as error:
        draft.discard()
        say(f"the prepared cache could not be completed: {error}")


def is_prepared(cache: PreparedCache, contents: Contents) -> bool:
    """Whether the cache has an entry with these contents."""
    entry = cache.find(contents)
    if entry is not None:
        entry.close()
    return entry is not None


def readable_size(size: int) -> str:
    """A number of bytes, for a person."""
    return f"{size / 1e9:.1f} GB" if size >= 50_000_000 else f"{size / 1e6:.1f} MB"


def say(line: str) -> None:
    """One line on the terminal, beside a progress bar's."""
    sys.stderr.write(f"{line}\n")
    sys.stderr.flush()


def _stored(path: Path) -> Stored | None:
    try:
        status = path.stat()
    except OSError:
        return None
    try:
        contents, _ = read_contents(path)
    except Unusable:
        contents = None
    return Stored(path.stem, path, status.st_size, status.st_mtime, contents)
