"""What was read once and found whole: a file's SHA-256, remembered by its name, size, time and inode."""

import hashlib
import os
import tempfile
import zipfile
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

Stats = npt.NDArray[np.int64]  # (N, 3): size in bytes, modification time in ns, inode; -1 where there is no file
Digests = npt.NDArray[np.uint8]  # (N, 32): SHA-256 of the content

SETTLED_NS = 2_000_000_000  # the coarsest clock of a file system in use (FAT)


@dataclass(frozen=True)
class Memory:
    """The remembered files of one data folder, in one file under `folder`; what is torn or foreign is forgotten.

    It trusts whoever can write there: somebody who can edit the memory can make any file pass for read.
    """

    file: Path

    @classmethod
    def of(cls, data: Path, *, under: Path) -> "Memory":
        """The memory of the data folder `data`, kept under `under` (which need not exist yet)."""
        name = hashlib.sha256(os.fsencode(data.resolve())).hexdigest()[:16]
        return cls(under / f"files-{name}.npz")

    def recall(self, files: Sequence[str], stats: Stats) -> tuple[Digests, npt.NDArray[np.bool_]]:
        """The digests (N, 32) of those files that are unchanged, and which they are, (N,) bool."""
        digests = np.zeros((len(files), 32), np.uint8)
        read = self._read()
        if read is None:
            return digests, np.zeros(len(files), np.bool_)
        names, old_stats, old_digests = read
        row_of = {name: row for row, name in enumerate(names)}
        rows = np.array([row_of.get(file, -1) for file in files], np.int64)
        known = rows >= 0
        known[known] = (old_stats[rows[known]] == stats[known]).all(axis=1)
        digests[known] = old_digests[rows[known]]
        return digests, known

    def store(self, files: Sequence[str], stats: Stats, digests: Digests, *, before_ns: int) -> None:
        """Remember these files, but those changed within two seconds of `before_ns`, when `stats` were taken.

        A file that changes again within its clock's resolution would look unchanged. Raises OSError when the folder
        cannot be written.
        """
        settled = np.flatnonzero(np.abs(stats[:, 1] - before_ns) > SETTLED_NS)
        names = "\0".join([files[row] for row in settled.tolist()]).encode("utf-8", "surrogateescape")
        self.file.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=self.file.parent, prefix=f".{self.file.stem}-")
        try:
            with os.fdopen(handle, "wb") as file:
                np.savez(file, names=np.frombuffer(names, np.uint8), stats=stats[settled], digests=digests[settled])
            Path(temporary).replace(self.file)
        finally:
            Path(temporary).unlink(missing_ok=True)

    def _read(self) -> tuple[list[str], Stats, Digests] | None:
        """Names, stats and digests, or None when there is nothing readable."""
        try:
            with self.file.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
                blob, stats, digests = arrays["names"], arrays["stats"], arrays["digests"]
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, zlib.error):
            return None
        names = bytes(blob).decode("utf-8", "surrogateescape").split("\0")
        shapes = stats.shape == (len(names), 3) and digests.shape == (len(names), 32)
        if not shapes or stats.dtype != np.int64 or digests.dtype != np.uint8:
            return None
        return names, stats, digests
