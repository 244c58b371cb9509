"""The environment that every build stands on: torch, torchvision, torchbench and what they need, installed once.

What a repository asks of these is not installed: decoding, resampling and scoring would no longer be the platform's.
All that they need counts as theirs, numpy and Pillow first of all, but `typing-extensions` too: an old pin of it keeps
torch from being imported.
"""

import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from sotabench.errors import Broken
from sotabench.runner.sandbox import Mount, interpreter_mounts
from sotabench.runner.workplace import Base

OURS = ("torch", "torchvision", "torchbench", "benchrecord")
NAMES_OF_OURS = (*OURS, "sotabencheval", "sotabenchapi")  # the last two are modules of torchbench
# Packages with the modules of another one: what is used in their place. The first library of 2019 was called sotabench.
INSTEAD = {"pillow-simd": "pillow", "sotabench": "torchbench"}
INSTALLERS = ("pip", "uv")  # what a setup script calls `pip` is the platform's, which leaves the above alone
TABLES = "torchbench/dataset/tables"
LABELS = ("imagenet_validation_labels.npy", "imagenet_real_labels.npz")

_ASK = """
import importlib.metadata as metadata, importlib.util, json, re, site, sys

def held(names):
    found, waiting = {}, list(names)
    while waiting:
        name = re.sub(r"[-_.]+", "-", waiting.pop()).lower()
        try:
            distribution = metadata.distribution(name)
        except metadata.PackageNotFoundError:
            continue
        if name not in found:
            found[name] = distribution.version
            needed = [line for line in distribution.requires or () if "extra ==" not in line]
            waiting += [re.match(r"[\\w.-]+", line)[0] for line in needed]
    return found

def place(name):
    spec = importlib.util.find_spec(name)
    return spec and spec.origin and spec.origin.rsplit("/", 2)[0]

names = json.loads(sys.argv[1])
places = {name: place(name) for name in names}
print(json.dumps({"version": sys.version, "held": held(names), "packages": site.getsitepackages(), "places": places}))
"""


def find_base(store: Path, python: Path | None = None) -> Base:
    """The base that `python`, by default the interpreter that runs this, has; `store` is where tables are kept.

    Raises Broken when torchbench is not installed there.
    """
    python = python or Path(sys.executable)
    answer = _ask(python)
    missing = [name for name in OURS if answer["places"][name] is None]
    if missing:
        raise Broken(
            f"expected {', '.join(OURS)} beside {python}, found no {' and no '.join(missing)}; pip install torchbench"
        )
    packages = tuple(Path(folder).resolve() for folder in answer["packages"])
    mounts = interpreter_mounts(python)
    seen = [Path(mount.target) for mount in mounts]
    elsewhere = [Path(place) for place in set(answer["places"].values()) if place]
    elsewhere = sorted(place for place in elsewhere if not any(place.is_relative_to(folder) for folder in seen))
    described = json.dumps([answer["version"], sorted(answer["held"].items()), [str(folder) for folder in packages]])
    return Base(
        python=python,
        packages=packages,
        held=answer["held"],
        mounts=(
            *mounts,
            *(Mount(place, str(place)) for place in elsewhere),
            _without_labels(Path(answer["places"]["torchbench"]) / TABLES, store),
        ),
        described=hashlib.sha256(described.encode()).hexdigest(),
    )


def held_names(base: Base) -> frozenset[str]:
    """The names, normalised, of all that no build's own environment may hold."""
    return frozenset((*base.held, *NAMES_OF_OURS, *INSTEAD, *INSTALLERS))


def described_lines(base: Base) -> Iterable[str]:
    """The base's part of an environment's lock."""
    return (f"{name}=={version}" for name, version in base.held.items())


def _ask(python: Path) -> dict[str, Any]:
    try:
        done = subprocess.run(  # noqa: S603 - the operator's own interpreter
            [python, "-I", "-c", _ASK, json.dumps(OURS)], capture_output=True, text=True, check=True, timeout=120
        )
        answer: dict[str, Any] = json.loads(done.stdout)
    except (OSError, subprocess.SubprocessError, ValueError) as error:
        why = getattr(error, "strerror", None) or ("another program" if isinstance(error, ValueError) else error)
        raise Broken(f"expected a Python interpreter at {python}, found: {why}; see SOTABENCH_BASE_PYTHON") from error
    return answer


def _without_labels(tables: Path, store: Path) -> Mount:
    """Torchbench's tables but for the labels, seen in the place of all of them."""
    kept = sorted(path for path in tables.iterdir() if path.is_file() and path.name not in LABELS)
    digest = hashlib.sha256()
    for path in kept:
        digest.update(path.name.encode() + path.read_bytes())
    copy = store / "tables" / digest.hexdigest()[:20]
    if not copy.is_dir():
        making = copy.with_suffix(".making")
        shutil.rmtree(making, ignore_errors=True)
        making.mkdir(parents=True)
        for path in kept:
            shutil.copyfile(path, making / path.name)
        os.sync()  # else a power cut could leave the name with empty files
        making.rename(copy)
    return Mount(copy, str(tables))
