"""What the environment says about this run; the only place that reads or changes it.

| variable                  | meaning                                                                              |
|---------------------------|--------------------------------------------------------------------------------------|
| SOTABENCH_SERVER          | `true`: a platform runs this, so data, device and number of GPUs are the platform's   |
| SOTABENCH_DATA_ROOT       | where the data are, unless the call itself says so                                   |
| SOTABENCH_SEALED          | `1`: the labels here are decoys, the platform scores the predictions                  |
| SOTABENCH_STORE_FILENAME  | the JSON file that the records are appended to                                        |
| SOTABENCH_STORE_OUTPUTS   | `1`: keep all outputs too, unless the call itself says so                             |
| SOTABENCH_COMPANIONS      | ImageNet's companions to evaluate too: `all`, or `real,v2,a,r,sketch` or some of them   |
| SOTABENCH_CHECK           | `params`: look at the arguments only; `full`: run one batch                           |
| SOTABENCH_CACHE_DIR       | folder of the prepared cache                                                         |
| SOTABENCH_DONE            | JSON file: a list of the `call_key`s of calls that need not run again                 |
| RANK, WORLD_SIZE, LOCAL_RANK | which process of how many this is, where torchrun started it (TORCHELASTIC_RUN_ID) |
| XDG_CACHE_HOME            | below it, what was learnt about data sets is remembered (else `~/.cache`)             |
"""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from torchbench.errors import ArgumentError

Check = Literal["full", "params"]


@dataclass(frozen=True)
class Settings:
    """One reading of the environment."""

    server: bool = False
    data_root: Path | None = None
    sealed: bool = False
    store: Path | None = None
    store_outputs: bool = False
    companions: str = ""
    check: Check | None = None
    cache: Path | None = None
    remember: Path | None = None
    done: frozenset[str] = frozenset()
    rank: int = 0
    world_size: int = 1
    local_rank: int = 0

    @classmethod
    def from_environment(cls, environ: Mapping[str, str] = os.environ) -> "Settings":
        """Read the settings; raises ArgumentError on a value that means nothing."""
        return cls(
            server=_flag(environ, "SOTABENCH_SERVER"),
            data_root=_path(environ, "SOTABENCH_DATA_ROOT"),
            sealed=_flag(environ, "SOTABENCH_SEALED"),
            store=_path(environ, "SOTABENCH_STORE_FILENAME"),
            store_outputs=_flag(environ, "SOTABENCH_STORE_OUTPUTS"),
            companions=environ.get("SOTABENCH_COMPANIONS", ""),
            check=_check(environ.get("SOTABENCH_CHECK", "")),
            cache=_path(environ, "SOTABENCH_CACHE_DIR"),
            done=_done(_path(environ, "SOTABENCH_DONE")),
            **_ranks(environ),
            remember=(_path(environ, "XDG_CACHE_HOME") or Path("~/.cache").expanduser()) / "torchbench",
        )

    @property
    def fetching(self) -> bool:
        """Whether a platform checks the file to let it fetch its weights: an odd call must not end that."""
        return self.server and self.check is not None

    @property
    def strict(self) -> bool:
        """Whether what is a note in an evaluation is an error: in a check, but not where it would end the fetching."""
        return self.check is not None and not self.fetching

    def outputs_beside(self, asked: bool | None) -> Path | None:  # noqa: FBT001 - as benchmark() is given it
        """The file of the records when all outputs are to be stored beside it, None when they are not.

        They are when `asked`, by default when SOTABENCH_STORE_OUTPUTS says so, and something is evaluated. Raises
        ArgumentError where no records are kept.
        """
        if self.fetching or not (self.store_outputs if asked is None else asked):
            return None
        if self.store is None:
            raise ArgumentError(
                "store_outputs (or SOTABENCH_STORE_OUTPUTS) stores the outputs beside the record, and no record is "
                "kept: set SOTABENCH_STORE_FILENAME to the name of its file, such as results.json"
            )
        return self.store


def _ranks(environ: Mapping[str, str]) -> dict[str, int]:
    """Which process this is; other launchers set the same names for their own purposes, so torchrun's mark counts."""
    if not environ.get("TORCHELASTIC_RUN_ID"):
        return {}
    return {name: int(environ[name.upper()]) for name in ("rank", "world_size", "local_rank")}


def set_variable(name: str, value: str) -> None:
    """Set a variable of this process and of those that it starts."""
    os.environ[name] = value


def _flag(environ: Mapping[str, str], name: str) -> bool:
    value = environ.get(name, "").strip().lower()
    if value not in {"", "0", "1", "false", "true"}:
        raise ArgumentError(f"expected {name} to be true, false, 1 or 0, got {value!r}")
    return value in {"1", "true"}


def _path(environ: Mapping[str, str], name: str) -> Path | None:
    return Path(environ[name]).expanduser() if environ.get(name) else None


def _done(file: Path | None) -> frozenset[str]:
    if file is None:
        return frozenset()
    try:
        keys = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ArgumentError(f"expected SOTABENCH_DONE to name a JSON file, {file}: {error}") from error
    if not isinstance(keys, list) or not all(isinstance(key, str) for key in keys):
        raise ArgumentError(f"expected SOTABENCH_DONE to name a JSON list of call keys, found something else in {file}")
    return frozenset(keys)


def _check(value: str) -> Check | None:
    if value in {"full", "params"}:
        return value  # type: ignore[return-value]  # mypy does not narrow a str by membership
    if value:
        raise ArgumentError(f"expected SOTABENCH_CHECK to be 'full' or 'params', got {value!r}")
    return None
