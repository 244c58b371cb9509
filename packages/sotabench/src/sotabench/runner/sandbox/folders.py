"""Folders of the machine that tasks see: whose they are, and what lies where something is to be mounted."""

import contextlib
import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path, PurePosixPath

from sotabench.errors import Failed
from sotabench.runner.sandbox.plan import Mount, Slot, Task


def own(folder: Path, slot: Slot) -> None:
    """Give a folder and all in it to the slot's uid, links themselves and not what they lead to.

    To be called before strangers write there. Where the runner is not root this does nothing: tasks run as its own uid.
    """
    if os.geteuid() != 0:
        return
    os.chown(folder, slot.uid, slot.gid, follow_symlinks=False)
    for _, folders, files, descriptor in os.fwalk(folder):
        for name in (*folders, *files):
            os.chown(name, slot.uid, slot.gid, dir_fd=descriptor, follow_symlinks=False)


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
