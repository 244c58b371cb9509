"""Folders of the machine that tasks see: whose they are, what lies in them, what lies where something is to be mounted.

A stranger decides how deep a folder goes. Python's own walks call themselves for every level and hold a descriptor for
each; what goes down all the way is left to the system's chown, chmod, cp and rm, which do neither and follow no links.
"""

import contextlib
import os
import re
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

    Raises Failed for folders that go deeper than DEEPEST, or that cannot be read.
    """
    waiting = [(str(folder), 0)]
    while waiting:
        place, depth = waiting.pop()
        try:
            with os.scandir(place) as entries:
                found = list(entries)
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
    """Remove links where a mount lies inside of another one, as a repository's own `.data`.

    Raises Failed when a file is in the way.
    """
    for mount in mounts:
        outer = _around(mount, mounts)
        if outer is None or not outer.writable:
            continue
        place = outer.source
        for name in PurePosixPath(mount.target).relative_to(outer.target).parts:
            place = place / name
            if place.is_symlink():
                place.unlink()
            if not place.exists():
                break
            if not place.is_dir() and mount.source.is_dir():
                raise Failed(f"expected a folder or nothing at {_inside(place, outer)}, found a file; remove it")


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
            place = outer.source / PurePosixPath(mount.target).relative_to(outer.target)
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


def _inside(place: Path, outer: Mount) -> str:
    return str(PurePosixPath(outer.target) / place.relative_to(outer.source))
