"""`torchbench data describe|finish`: what a platform asks about the images that it is given, and about its own copy."""

import argparse
import json
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

import torch

from torchbench.dataset import ImageNetReader, TestSet
from torchbench.dataset.decoys import DECOYS_FILE, DECOYS_SENTENCE, MEMORY_FILE
from torchbench.dataset.found import FilePaths
from torchbench.dataset.labels import class_names, wnids
from torchbench.images import ImageFiles
from torchbench.settings import Settings

FORMAT = 1


def describe(arguments: argparse.Namespace) -> None:
    """Print which ImageNet validation images a folder holds, after every one was found to be whole.

    Raises DataError as an evaluation does.
    """
    found = ImageNetReader().find(arguments.folder, remember=Settings.from_environment().remember)
    if arguments.json:
        json.dump(facts_of(found), sys.stdout)
        return
    sys.stdout.write(f"{len(found.ids):,} images, {found.layout}\n")
    sys.stdout.writelines(f"  {assumption}\n" for assumption in found.assumptions)
    sys.stdout.write(f"fingerprint {found.fingerprint}\n")


def facts_of(found: TestSet) -> dict[str, Any]:
    """Plain values: the set, its classes in order, and of every image id, file, class and SHA-256."""
    files = found.images.paths if isinstance(found.images, ImageFiles) else ()
    digests = [] if found.digests is None else [bytes(digest).hex() for digest in found.digests]
    names = files.files if isinstance(files, FilePaths) else tuple(map(str, files))
    images = zip(found.ids, names, found.labels.tolist(), digests, strict=True)
    return {
        "format": FORMAT,
        "name": found.name,
        "version": found.version,
        "fingerprint": found.fingerprint,
        "complete": found.complete,
        "size": found.size,
        "layout": found.layout,
        "assumptions": list(found.assumptions),
        "folder": str(files.folder.absolute()) if isinstance(files, FilePaths) else "",
        "classes": list(wnids()),
        "images": [
            {"id": image, "file": file, "class": label, "sha256": digest} for image, file, label, digest in images
        ],
    }


def finish(arguments: argparse.Namespace) -> None:
    """Write beside the decoys of a platform's copy, `val/<wnid>/...`, what torchvision and this library want there.

    `meta.bin` holds the names of all classes, and for every image, by name, the folder that it lies in. The files,
    which have their final times by then, are read once more, and what was learnt of them is kept there too.
    """
    lying = sorted((file.name, file.parent.name) for file in (arguments.folder / "val").glob("*/*"))
    names = {wnid: tuple(text.split(", ")) for wnid, text in zip(wnids(), class_names(), strict=True)}
    torch.save((names, [folder for _, folder in lying]), arguments.folder / "meta.bin")
    (arguments.folder / DECOYS_FILE).write_text(f"{DECOYS_SENTENCE}\n", encoding="utf-8")
    (arguments.folder / MEMORY_FILE).unlink(missing_ok=True)
    with tempfile.TemporaryDirectory() as kept:
        ImageNetReader().find(arguments.folder, remember=Path(kept))
        for memory in Path(kept).iterdir():
            shutil.copyfile(memory, arguments.folder / MEMORY_FILE)


def add_commands(parser: argparse.ArgumentParser) -> None:
    """Give `torchbench data` its commands."""
    data = parser.add_subparsers(required=True)
    describing = data.add_parser("describe", description=str(describe.__doc__).partition("\n")[0])
    describing.add_argument("folder", type=Path, help="folder of the ImageNet validation images, in any layout")
    describing.add_argument("--json", action="store_true", help="everything, for a program")
    describing.set_defaults(command=describe)
    finishing = data.add_parser("finish", description=str(finish.__doc__).partition("\n")[0])
    finishing.add_argument("folder", type=Path, help="a platform's copy: val/<wnid>/ below it")
    finishing.set_defaults(command=finish)
