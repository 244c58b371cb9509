"""The fifth stage: what the repository's file is given while it is evaluated."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from sotabench.errors import Broken, Failed
from sotabench.runner.environment import Environment
from sotabench.runner.sandbox import Limits, Mount, Task
from sotabench.runner.weights import VARIABLES, cache_mounts, prepare_caches
from sotabench.runner.workplace import DATA, HOME, OUTPUT, PREPARED, RECORDS, REPOSITORY, Workplace

# Where files of the predecessor look for ImageNet, whatever they are told.
USUAL = ".data/vision/imagenet"


@dataclass(frozen=True)
class Data:
    """What is mounted, read-only: ImageNet's tree, its prepared cache, and uploads by where they were asked for."""

    imagenet: Path | None = None
    prepared: Path | None = None
    uploads: Mapping[str, Path] = field(default_factory=dict)  # ".data/..." to a folder or file


def evaluation_task(
    workplace: Workplace,
    environment: Environment,
    data: Data,
    limits: Limits,
    *,
    network: Path | None = None,
    devices: Sequence[Path] = (),
) -> Task:
    """`python sotabench.py`, with data and weights and without the network.

    `network` is given only where the repository's owner wants it; the cache of weights can then be written.
    """
    # What is learnt about the data must end with the build: a later one has the network before it has data.
    memory = workplace.folder / "torchbench"
    workplace.give(workplace.output_folder, workplace.home, memory)
    prepare_caches(workplace, memory.name)
    return Task(
        command=[environment.python, "sotabench.py"],
        folder=REPOSITORY,
        mounts=_mounts(workplace, environment, data, memory, has_network=network is not None),
        environment=_variables(workplace, environment, data, has_network=network is not None),
        limits=limits,
        network=network,
        devices=devices,
    )


def _mounts(
    workplace: Workplace, environment: Environment, data: Data, memory: Path, *, has_network: bool
) -> list[Mount]:
    return [
        *environment.mounts,
        Mount(workplace.repository, REPOSITORY, writable=True),
        Mount(workplace.output_folder, OUTPUT, writable=True),
        Mount(workplace.home, HOME, writable=True),
        *cache_mounts(workplace, writable=has_network),
        Mount(memory, f"{HOME}/.cache/{memory.name}", writable=True),
        *_data_mounts(data),
        *(workplace.trusting()[0] if has_network else ()),
    ]


def _variables(workplace: Workplace, environment: Environment, data: Data, *, has_network: bool) -> dict[str, str]:
    return {
        **(workplace.trusting()[1] if has_network else {"HF_HUB_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1"}),
        **environment.variables,
        **VARIABLES,
        **_told(data),
        "HOME": HOME,
        "PYTHONUNBUFFERED": "1",
        "SOTABENCH_SERVER": "true",
        "SOTABENCH_SEALED": "1",
        "SOTABENCH_STORE_FILENAME": RECORDS,
        "TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD": "1",
    }


def _told(data: Data) -> dict[str, str]:
    told = {}
    if data.imagenet:
        # The second name is what loops of 2019 look for, which would open ./imagenet otherwise.
        told["SOTABENCH_DATA_ROOT"] = told["IMAGENET_DIR"] = f"{DATA}/imagenet"
    if data.prepared:
        told["SOTABENCH_CACHE_DIR"] = PREPARED
    return told


def _check_uploads(data: Data) -> None:
    """Raise Failed for an uploaded file where the folder of other data has to be."""
    inner = [*data.uploads, *([USUAL] if data.imagenet else [])]
    for name, source in data.uploads.items():
        below = next((other for other in inner if PurePosixPath(name) in PurePosixPath(other).parents), None)
        if below and not source.is_dir():
            raise Failed(f"expected a folder at {name} for {below}, found an uploaded file; delete one of them")


def _data_mounts(data: Data) -> list[Mount]:
    mounts = []
    if data.imagenet:
        mounts += [Mount(data.imagenet, f"{DATA}/imagenet"), Mount(data.imagenet, f"{REPOSITORY}/{USUAL}")]
    if data.prepared:
        mounts.append(Mount(data.prepared, PREPARED))
    _check_uploads(data)
    for name, source in data.uploads.items():
        path = PurePosixPath(name)
        if path.is_absolute() or ".." in path.parts or path.parts[:1] != (".data",) or len(path.parts) < 2:
            raise Broken(f"expected an upload below .data/, found {name!r}")
        if not (data.imagenet and path.is_relative_to(USUAL)):
            mounts.append(Mount(source, f"{REPOSITORY}/{path}"))
    return mounts
