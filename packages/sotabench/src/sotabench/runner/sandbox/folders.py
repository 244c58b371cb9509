"""Folders of the machine that tasks see: whose they are, what lies in them, what lies where something is to be mounted.

A stranger decides how deep a folder goes. Python's own walks call themselves for every level and hold a descriptor for
each; what goes down all the way is left to the system's chown, chmod, cp and rm, which do neither and follow no links.
"""

import contextlib
import os
import re
import stat
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path, PurePosixPath

from sotabench.errors import Broken, Failed
from sotabench.runner.sandbox.plan import Mount, Slot, Task

DEEPEST = 500
"""Levels of folders in what strangers made that are gone through; more than anybody has, fewer than Python's calls."""


def own(folder: Path, slot: Slot) -> None:
    """Give a folder and all in it to the slot's uid, links themselves and not what they lead to.

    To be called before strangers write there. Where the runner is not root this does nothing: tasks run as its own uid.
    What is the slot's already is not touched, for the time of its last change tells whether it was measured. Raises
    Broken when it cannot be done.
    """
    if os.geteuid() != 0:
        return
    os.chown(folder, slot.uid, slot.gid, follow_symlinks=False)
    if _holds_others(folder, slot) and (trouble := _told(["chown", "-R", "-h", f"{slot.uid}:{slot.gid}"], folder)):
        raise Broken(f"expected to give {folder} to uid {slot.uid}, found: {trouble}")


def _holds_others(folder: Path, slot: Slot) -> bool:
    """Whether something in it is not the slot's."""
    with os.scandir(folder) as entries:
        if next(entries, None) is None:
            return False
    others = ["(", "!", "-uid", str(slot.uid), "-o", "!", "-gid", str(slot.gid), ")", "-print", "-quit"]
    command = ["find", str(folder), *others]
    return bool(subprocess.run(command, capture_output=True, check=False).stdout)  # noqa: S603 - the system's own


def entries_below(folder: Path) -> Iterator["os.DirEntry[str]"]:
    """All that lies in the folder, links as links. Nothing may be running that writes there.

    Raises Failed for folders that go deeper than DEEPEST, or that cannot be read, and for paths longer than the machine
    takes: inside the sandbox the same paths are shorter.
    """
    waiting = [(str(folder), 0)]
    while waiting:
        place, depth = waiting.pop()
        try:
            with os.scandir(place) as entries:
                found = list(entries)
            for entry in found:
                entry.stat(follow_symlinks=False)  # an entry keeps it, so that whoever asks again is answered
        except OSError as error:
            raise Failed(
                f"expected folders that can be read, found one in {folder.name} with: {error.strerror}"
            ) from error
        folders = [entry.path for entry in found if entry.is_dir(follow_symlinks=False)]
        if folders and depth == DEEPEST:
            raise Failed(f"expected folders of at most {DEEPEST} levels, found more in {folder.name}")
        waiting += [(path, depth + 1) for path in folders]
        yield from found


def copy_writable(source: Path, target: Path) -> None:
    """Copy a folder to a name that is free, links as links, so that its owner may write all of it. Raises Broken."""
    trouble = _told(["cp", "-a", "-T"], source, target) or _told(["chmod", "-R", "u+w"], target)
    if trouble:
        raise Broken(f"expected to copy {source} to {target}, found: {trouble}")


def remove(folder: Path) -> None:
    """Remove a folder and all in it, also what was closed against its own user. What cannot be removed stays."""
    if not folder.is_symlink() and folder.is_dir():
        if os.geteuid() != 0:
            _told(["chmod", "-R", "u+rwX"], folder)
        _told(["rm", "-rf"], folder)


def _told(command: Sequence[str], *places: Path) -> str:
    """The last line of what the command complains of; empty when it did what it was to do."""
    done = subprocess.run([*command, "--", *places], capture_output=True, check=False)  # noqa: S603 - the system's own
    said = done.stderr.decode(errors="replace").strip().splitlines()
    return (said or [f"exit code {done.returncode}"])[-1] if done.returncode else ""


def clear_mount_points(mounts: Sequence[Mount]) -> None:
    """Free the way to where a mount lies inside of another one, as a repository's own `.data`.

    Links are removed, and folders that were closed are opened. Raises Failed for a file where a folder is to be, and
    for a folder where a file is.
    """
    for mount in mounts:
        if mount.writable and mount.source.is_dir():
            open_folder(mount.source)
    for mount in mounts:
        outer = _around(mount, mounts)
        if outer is None or not outer.writable or not mount.source.exists():
            continue
        for place in _way(mount, outer):
            open_folder(place.parent)
            if place.is_symlink():
                place.unlink()
            if not place.exists():
                break
            is_folder = mount.source.is_dir() or place != _place(mount, outer)
            if place.is_dir() != is_folder:
                expected, found = ("folder", "file") if is_folder else ("file", "folder")
                where = _inside(place, outer)
                raise Failed(f"expected a {expected} or nothing at {where}, found a {found}; remove it")


def make_mount_points(mounts: Sequence[Mount], slot: Slot) -> None:
    """Let there be something to mount on, the slot's; `clear_mount_points` has freed the way."""
    for mount in mounts:
        outer = _around(mount, mounts)
        if outer is None or not outer.writable or not mount.source.exists():
            continue
        for place in _way(mount, outer):
            if place.exists():
                continue
            if mount.source.is_dir() or place != _place(mount, outer):
                place.mkdir(mode=0o755)
            else:
                place.touch(mode=0o644)
            if os.geteuid() == 0:
                os.chown(place, slot.uid, slot.gid)


def open_folder(folder: Path) -> None:
    """Let its owner read and change it, whoever closed it."""
    mode = stat.S_IMODE(folder.stat().st_mode)
    if mode & 0o700 != 0o700:
        folder.chmod(mode | 0o700)


def as_outside(task: Task) -> Task:
    """The task with every path of its mounts, wherever it is written, as it is on the machine."""
    places = {mount.target.rstrip("/"): str(mount.source) for mount in task.mounts}
    if not places:
        return task
    targets = "|".join(re.escape(target) for target in sorted(places, key=len, reverse=True))
    pattern = re.compile(rf"(?<![\w./-])(?:{targets})(?![\w.-])")

    def translated(text: str) -> str:
        return pattern.sub(lambda found: places[found[0]], text)

    return replace(
        task,
        command=[translated(word) for word in task.command],
        environment={name: translated(value) for name, value in task.environment.items()},
        folder=translated(task.folder),
    )


@contextlib.contextmanager
def linked(mounts: Sequence[Mount]) -> Iterator[None]:
    """Links in the place of mounts that lie inside of a writable one; removed at the end."""
    made = []
    try:
        for mount in mounts:
            outer = _around(mount, mounts)
            if outer is None or not outer.writable:  # what hides a part of what may only be read cannot hide it here
                continue
            place = _place(mount, outer)
            if place.resolve() == mount.source.resolve():
                continue
            place.parent.mkdir(parents=True, exist_ok=True)
            if place.is_dir() and not any(place.iterdir()):
                place.rmdir()
            if place.exists():
                raise Failed(f"expected nothing at {_inside(place, outer)}, found a file or folder; remove it")
            place.symlink_to(mount.source.resolve())
            made.append(place)
        yield
    finally:
        for place in made:
            if place.is_symlink():
                place.unlink()


def _around(mount: Mount, mounts: Sequence[Mount]) -> Mount | None:
    """The innermost of the mounts that the given one lies inside of."""
    target = PurePosixPath(mount.target)
    outer = [other for other in mounts if PurePosixPath(other.target) in target.parents]
    return max(outer, key=lambda other: len(PurePosixPath(other.target).parts), default=None)


def _place(mount: Mount, outer: Mount) -> Path:
    """Where a mount lies in the source of the one around it."""
    return outer.source / PurePosixPath(mount.target).relative_to(outer.target)


def _way(mount: Mount, outer: Mount) -> list[Path]:
    """The places that lead there, the uppermost first."""
    place = _place(mount, outer)
    return [*reversed([above for above in place.parents if outer.source in above.parents]), place]


def _inside(place: Path, outer: Mount) -> str:
    return str(PurePosixPath(outer.target) / place.relative_to(outer.source))
