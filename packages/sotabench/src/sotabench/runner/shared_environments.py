"""Environments that builds share: found by what was resolved, filled once, read-only ever after.

Below the store: `locks/` remembers for a day what requirements resolved to, `environments/<key>/` is one environment
with the list of what is in it, `<key>.lock` is held while it is made or removed. What is half made has a name that
nobody looks for, and the next maker removes it.
"""

import contextlib
import fcntl
import hashlib
import json
import os
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchrecord.files import replace_file
from sotabench.runner.base import held_names
from sotabench.runner.installing import LIMITS, SCRATCH, Filling, fill, make_scratch, resolve
from sotabench.runner.locks import held
from sotabench.runner.sandbox import Limits, entries_below, remove
from sotabench.runner.workplace import Workplace

LOCK_KEPT = 24 * 3600.0  # seconds for which requirements that did not change are not resolved anew


@dataclass(frozen=True)
class Shared:
    """One of them."""

    folder: Path
    frozen: tuple[str, ...]


def make(workplace: Workplace, lines: Sequence[str], store: Path, limits: Limits = LIMITS) -> Shared | None:
    """The environment with these plain requirements, made if it is not there; None where wheels do not suffice."""
    scratch = workplace.folder / "uv"  # no other build's: uv is given strangers' wheels to unpack
    try:
        lock = _resolved(workplace, lines, store, scratch, limits)
        if lock is None:
            return None
        key = hashlib.sha256("\n".join([workplace.base.described, *lock]).encode()).hexdigest()[:40]
        place = store / "environments" / key
        place.parent.mkdir(parents=True, exist_ok=True)
        found = _found(place)
        if found is None:
            with held(place.with_name(f"{key}.lock"), workplace.stop):
                found = _found(place)
                if found is None:
                    workplace.say("A shared environment is made for these requirements")
                    found = _make(workplace, place, lock, scratch, limits)
        (place / "used").touch()
        return found
    finally:
        remove(scratch)


def sweep_environments(store: Path, days: float) -> int:
    """Remove shared environments that no build has used for so many days; how many that were."""
    removed, old = 0, time.time() - days * 86400
    for place in sorted((store / "environments").glob("*")):
        if not place.is_dir() or place.name.endswith(".lock"):
            continue
        used = place / "used"
        if (used if used.exists() else place).stat().st_mtime > old:
            continue
        with contextlib.suppress(BlockingIOError), place.with_name(f"{place.name[:40]}.lock").open("a") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            dead = place.with_name(f"{place.name[:40]}.removed")
            remove(dead)
            place.rename(dead)
            remove(dead)
            removed += 1
    for path in (store / "locks").glob("*.json"):
        if path.stat().st_mtime < old:
            path.unlink(missing_ok=True)
    return removed


def _resolved(
    workplace: Workplace, lines: Sequence[str], store: Path, scratch: Path, limits: Limits
) -> list[str] | None:
    if not lines:
        return []
    asked = [workplace.base.described, sorted(held_names(workplace.base)), sorted(workplace.index.variables.items())]
    digest = hashlib.sha256(json.dumps([list(lines), *asked]).encode()).hexdigest()
    remembered = store / "locks" / f"{digest}.json"
    with contextlib.suppress(OSError, ValueError):
        if time.time() - remembered.stat().st_mtime < LOCK_KEPT:
            return list(json.loads(remembered.read_text()))
    lock, words = resolve(workplace, lines, make_scratch(workplace, scratch), limits)
    if words:
        return None
    remembered.parent.mkdir(parents=True, exist_ok=True)
    replace_file(remembered, json.dumps(lock).encode())
    return lock


def _found(place: Path) -> Shared | None:
    """The environment, unless there is none, or one whose list cannot be read."""
    try:
        frozen = json.loads((place / "frozen.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return Shared(place / "environment", tuple(frozen)) if isinstance(frozen, list) else None


def _make(workplace: Workplace, place: Path, lock: Sequence[str], scratch: Path, limits: Limits) -> Shared:
    making = place.with_name(f"{place.name}.making")
    remove(making)
    folder = making / "environment"
    workplace.give(folder)
    mount = make_scratch(workplace, scratch)
    (scratch / "lock.txt").write_text("".join(f"{line}\n" for line in lock))
    install = ["--requirements", f"{SCRATCH}/lock.txt", "--no-deps", "--require-hashes", "--only-binary", ":all:"]
    frozen = fill(workplace, Filling(folder, mount, install if lock else (), limits))
    (making / "frozen.json").write_text(json.dumps(frozen))
    (making / "used").touch()
    _make_readable_only(folder)
    remove(place)  # one that cannot be read
    os.sync()  # all of it is on the disk before it has its name, whatever cuts the power
    making.rename(place)
    return Shared(place / "environment", frozen)


def _make_readable_only(folder: Path) -> None:
    """For everybody, and not the slot's any more."""
    for path in (folder, *map(Path, entries_below(folder))):
        if os.geteuid() == 0:
            os.chown(path, 0, 0, follow_symlinks=False)
        if not path.is_symlink():
            path.chmod(0o555 if path.is_dir() or path.stat().st_mode & 0o100 else 0o444)
