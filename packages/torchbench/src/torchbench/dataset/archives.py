"""The official archive of validation images, extracted once into class folders; an interrupted run goes on later."""

import hashlib
import json
import os
import shutil
import tarfile
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from tqdm import tqdm

from torchbench.dataset.labels import wnids
from torchbench.dataset.names import VALIDATION_NAME, image_number
from torchbench.dataset.testset import Labels
from torchbench.errors import DataError

MARKER = ".extraction-not-finished"
PART = ".part-"
ABANDONED_SECONDS = 60  # a living extraction rewrites its part with every image
BLOCK = 1 << 20


def free_bytes(folder: Path) -> int:
    """Free space on the disk of this folder."""
    return shutil.disk_usage(folder).free


@dataclass(frozen=True)
class Archive:
    """An official archive: its file name, the MD5 of its content, and how to ask for free space around a folder."""

    name: str
    md5: str
    free_bytes: Callable[[Path], int] = free_bytes


@dataclass(frozen=True)
class Member:
    """One image of the archive that is not on disk yet, and where it goes."""

    header: tarfile.TarInfo
    target: Path

    @property
    def is_there(self) -> bool:
        """Whether the image is on disk, as another process or an earlier run may have put it there."""
        return self.target.is_file() and self.target.stat().st_size == self.header.size


def is_unfinished(val: Path) -> bool:
    """Whether an extraction into this folder was begun and has not ended."""
    return (val / MARKER).is_file()


def extract(root: Path, archive: Archive, labels: Labels) -> tuple[str, ...]:
    """Extract the archive at `root` into `val/<wnid>/`, or what is missing of it; sentences for the user.

    Every image is written under another name and renamed when it is whole, so that whatever ends the process, what
    lies in the class folders is whole; a marker stays in `val` until all of them are there. Several processes may do
    this at once. Only plain files named as validation images are taken; no other name of the archive is used as a path.

    Raises DataError when the archive is damaged, the disk is full or may not be written.
    """
    path, val = root / archive.name, root / "val"
    try:
        _begin(path, archive, val)
        with tarfile.open(path, "r:") as tar:
            todo, others = _missing(tar, val, labels)
            _require_space(sum(member.header.size for member in todo), archive.free_bytes(root), val)
            _write_all(tar, todo, val)
        _end(val)
    except (tarfile.TarError, EOFError) as error:
        raise DataError(f"{path} cannot be read as a tar archive: {error}; copy or fetch it again") from error
    except OSError as error:
        raise DataError(
            f"{path} cannot be extracted to {val}: {error.strerror or error}; the archive has to be "
            "extracted once: make the folder writable, or extract it elsewhere and give that folder as data_root; "
            "what was extracted so far is kept"
        ) from error
    return (f"{others:,} entries of {archive.name} that are no validation images were ignored",) if others else ()


def require_md5(path: Path, expected: str) -> None:
    """Raise DataError unless the file's MD5 is the expected one; a bar is shown when it takes long."""
    found = hashlib.md5(usedforsecurity=False)
    size = path.stat().st_size
    bar = tqdm(total=size, desc=f"checking {path.name}", unit="B", unit_scale=True, delay=1, mininterval=1)
    with bar, path.open("rb") as file:
        while block := file.read(BLOCK):
            found.update(block)
            bar.update(len(block))
    if found.hexdigest() != expected:
        raise DataError(
            f"{path} is damaged or incomplete: expected the MD5 {expected}, found {found.hexdigest()} over {size:,} "
            "bytes; copy or fetch the archive again"
        )


def _begin(path: Path, archive: Archive, val: Path) -> None:
    """Check the archive, unless the marker says that this very file was checked, and set the marker."""
    stat = path.stat()
    checked = json.dumps({"size": stat.st_size, "mtime_ns": stat.st_mtime_ns, "md5": archive.md5})
    marker = val / MARKER
    if marker.is_file() and marker.read_text(encoding="utf-8") == checked:
        return
    require_md5(path, archive.md5)
    val.mkdir(exist_ok=True)
    marker.write_text(checked, encoding="utf-8")


def _missing(tar: tarfile.TarFile, val: Path, labels: Labels) -> tuple[list[Member], int]:
    """The images that are not on disk with their size, and how many other entries there are."""
    todo: list[Member] = []
    others = 0
    for header in tar:
        name = header.name.removeprefix("./")
        number = image_number(name) if header.isreg() and VALIDATION_NAME.fullmatch(name) else None
        if number is None or not 1 <= number <= len(labels):
            others += not header.isdir()
            continue
        member = Member(header, val / wnids()[labels[number - 1]] / name)
        if not member.is_there:
            todo.append(member)
    return todo, others


def _require_space(needed: int, free: int, val: Path) -> None:
    if needed > free:
        raise DataError(
            f"the disk of {val} has {free / 1e9:.1f} GB free, and extracting takes {needed / 1e9:.1f} GB; free "
            f"{(needed - free) / 1e9:.1f} GB, or extract the archive elsewhere and give that folder as data_root"
        )


def _write_all(tar: tarfile.TarFile, todo: list[Member], val: Path) -> None:
    part = val / f"{PART}{uuid.uuid4().hex}"
    total = sum(member.header.size for member in todo)
    bar = tqdm(total=total, desc="extracting to val", unit="B", unit_scale=True, delay=1, mininterval=1)
    try:
        with bar:
            for member in todo:
                content = None if member.is_there else tar.extractfile(member.header)
                if content:
                    _write(content, part, member)
                bar.update(member.header.size)
    finally:
        part.unlink(missing_ok=True)


def _write(content: IO[bytes], part: Path, member: Member) -> None:
    with content, part.open("wb") as file:
        shutil.copyfileobj(content, file)
    if part.stat().st_size != member.header.size:
        raise tarfile.ReadError(f"{member.header.name} ends too early")
    member.target.parent.mkdir(exist_ok=True)
    part.replace(member.target)


def _end(val: Path) -> None:
    """Take the marker away, and what killed processes left behind."""
    for part in val.glob(f"{PART}*"):
        try:
            if time.time() - part.stat().st_mtime > ABANDONED_SECONDS:
                part.unlink()
        except FileNotFoundError:  # its owner has just finished
            continue
    if os.name == "posix":
        os.sync()  # so that a power cut does not leave empty files behind a marker that is gone
    (val / MARKER).unlink(missing_ok=True)
