"""`torchbench cache list|prepare|clear`: the prepared cache by hand, for who runs a platform."""

import argparse
import os
import sys
from datetime import datetime
from pathlib import Path
from typing import Any

from torchvision import transforms
from torchvision.transforms import InterpolationMode
from tqdm import tqdm

from torchbench.dataset import ImageNetReader, TestSet
from torchbench.errors import ArgumentError
from torchbench.loading import LoadingOptions, open_batches
from torchbench.loading.cache import PreparedCache, Stored, readable_size
from torchbench.settings import Settings

_BATCH = 64
FILTERS = {mode.value: mode for mode in InterpolationMode if "nearest" not in mode.value}


def list_entries(arguments: argparse.Namespace) -> None:
    """Print every entry, the most recently used first."""
    entries = _cache(arguments).entries()
    for entry in entries:
        sys.stdout.write(f"{_line(entry)}\n")
    sys.stdout.write(f"{len(entries)} entries, {readable_size(sum(entry.size for entry in entries))}\n")


def prepare(arguments: argparse.Namespace) -> None:
    """Write the entry of one geometry, or of each `--geometry`, unless it is there.

    Raises ArgumentError when the folder cannot take it.
    """
    found = ImageNetReader().find(arguments.data_root, remember=Settings.from_environment().remember)
    cache = _cache(arguments)
    for resize, crop, name in arguments.geometry or [(arguments.resize, arguments.crop, arguments.filter)]:
        steps = [transforms.Resize(resize, FILTERS[name]), transforms.CenterCrop(crop), transforms.PILToTensor()]
        _prepare(found, steps, cache, workers=arguments.workers)
    sys.stdout.write(f"prepared: {len(found.images):,} images in {cache.folder}\n")


def _prepare(found: TestSet, steps: list[Any], cache: PreparedCache, *, workers: int) -> None:
    options = LoadingOptions(
        batch_size=_BATCH,
        num_workers=workers,
        cache=cache.folder,
        fingerprint=found.fingerprint,
        in_order=found.in_order(slice(None)),
        cache_bytes=cache.limit,
    )
    with open_batches(found.images, steps, options) as batches:
        if batches.plan.name != "cached":
            for _ in tqdm(
                batches, desc="preparing images", total=-(-len(found.images) // _BATCH), delay=1, mininterval=1
            ):
                pass
    with open_batches(found.images, steps, options) as batches:
        if batches.plan.name != "cached":
            raise ArgumentError(
                f"{cache.folder} does not hold the prepared images; is it writable, and its limit large enough?"
            )


def clear(arguments: argparse.Namespace) -> None:
    """Remove the entries that are named, or all of them; raises ArgumentError when one is not there."""
    cache = _cache(arguments)
    unknown = set(arguments.keys) - {entry.key for entry in cache.entries()}
    if unknown or bool(arguments.keys) == arguments.all:
        raise ArgumentError(
            f"expected keys that `cache list` shows, or --all; got {sorted(unknown) or 'neither or both'}"
        )
    removed = cache.clear(arguments.keys or None)
    sys.stdout.write(f"{len(removed)} entries removed, {readable_size(sum(entry.size for entry in removed))}\n")


def add_commands(parser: argparse.ArgumentParser) -> None:
    """Give `torchbench cache` its commands."""
    cache = parser.add_subparsers(required=True)
    _command(cache, "list", list_entries)
    preparing = _command(cache, "prepare", prepare)
    preparing.add_argument("--data-root", type=Path, required=True, help="folder of the ImageNet validation images")
    preparing.add_argument("--resize", type=int, default=256, help="pixels of the shorter side (256)")
    preparing.add_argument("--crop", type=int, default=224, help="pixels of a side of the crop (224)")
    preparing.add_argument("--filter", choices=sorted(FILTERS), default="bilinear", help="of the resize (bilinear)")
    preparing.add_argument(
        "--geometry",
        type=_geometry,
        action="append",
        metavar="RESIZE/CROP/FILTER",
        help="such as 256/224/bilinear, in place of the three options above; may be given several times",
    )
    preparing.add_argument("--workers", type=int, default=os.cpu_count() or 1, help="threads (one for each core)")
    preparing.add_argument("--limit", type=float, default=20.0, help="gigabytes that the folder may hold (20)")
    clearing = _command(cache, "clear", clear)
    clearing.add_argument("keys", nargs="*", metavar="KEY", help="entries to remove, as `list` names them")
    clearing.add_argument("--all", action="store_true", help="remove every entry")


def _command(
    cache: "argparse._SubParsersAction[argparse.ArgumentParser]", name: str, command: object
) -> argparse.ArgumentParser:
    parser = cache.add_parser(name, description=str(command.__doc__).partition("\n")[0])
    parser.add_argument("--folder", type=Path, help="the cache; else SOTABENCH_CACHE_DIR")
    parser.set_defaults(command=command)
    return parser


def _geometry(text: str) -> tuple[int, int, str]:
    resize, crop, name = text.split("/")
    if name not in FILTERS:
        raise ValueError
    return int(resize), int(crop), name


def _cache(arguments: argparse.Namespace) -> PreparedCache:
    folder = arguments.folder or Settings.from_environment().cache
    if folder is None:
        raise ArgumentError("which folder? give --folder, or set SOTABENCH_CACHE_DIR")
    return PreparedCache(folder, int(getattr(arguments, "limit", 0) * 1e9))


def _line(entry: Stored) -> str:
    used = datetime.fromtimestamp(entry.used).astimezone().strftime("%Y-%m-%d %H:%M")
    head = f"{entry.key}  {readable_size(entry.size):>9}  used {used}"
    if entry.contents is None:
        return f"{head}  unreadable"
    contents = entry.contents
    return (
        f"{head}  {contents.count:,} images of {contents.height}x{contents.width}  {contents.filter}  "
        f"resize {contents.geometry['resize']}  Pillow {contents.pillow}  data {contents.fingerprint[:12]}"
    )
