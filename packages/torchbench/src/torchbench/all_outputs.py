"""All outputs of a model, written while it is evaluated when somebody asks for them: by one process or by several."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Protocol

from numpy.typing import NDArray

from benchrecord import OutputsPart, OutputsWriter
from torchbench.errors import ArgumentError
from torchbench.evaluate import KeptOutputs
from torchbench.team import Team


class Keeper(Protocol):
    """Takes the outputs of this process's images, batch by batch."""

    def add(self, outputs: NDArray[Any]) -> None:
        """Take the outputs `(B, classes)` of the next `B` images."""

    def finish(self) -> KeptOutputs | None:
        """The file with every process's outputs in order, None where none is asked for; all processes call it."""


@contextmanager
def outputs_folder(records: Path | None, team: Team) -> Iterator[Path | None]:
    """A hidden folder beside the file `records` that all processes write to; None for None.

    It is removed at the end, with what is left in it; only a process that is killed outright leaves it.
    """
    if records is None:
        yield None
    elif team.leads:
        records.parent.mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory(prefix=f".{records.stem}-outputs-", dir=records.parent) as made:
            yield team.from_leader(lambda: Path(made).absolute())
    else:
        yield team.from_leader(Path)


@contextmanager
def keeping(folder: Path | None, classes: int, team: Team) -> Iterator[Keeper]:
    """What takes the outputs of one pass; it leaves nothing in the folder unless it is finished."""
    if folder is None:
        yield _Nothing()
        return
    path = folder / f"{team.rank}.npy"
    with OutputsWriter(path, classes) as writer:
        yield _Outputs(path, writer, team)


class _Nothing:
    """Keeps no outputs."""

    def add(self, outputs: NDArray[Any]) -> None: ...

    def finish(self) -> None: ...


class _Outputs:
    """This process's outputs in a file of its own, to which the leader appends those of the others."""

    def __init__(self, path: Path, writer: OutputsWriter, team: Team) -> None:
        self.add = writer.add
        self._path, self._writer, self._team = path, writer, team

    def finish(self) -> KeptOutputs:
        parts = self._team.gather(None if self._team.leads else self._writer.hand_over())
        return self._team.from_leader(lambda: self._join([part for part in parts if part is not None]))

    def _join(self, parts: list[OutputsPart]) -> KeptOutputs:
        try:
            for part in parts:
                self._writer.extend(part)
        except FileNotFoundError as error:
            raise ArgumentError(
                f"expected the outputs of every process on a disk that all of them see, found no {error.filename}; "
                "let SOTABENCH_STORE_FILENAME name a file on a shared disk, or do not store outputs"
            ) from error
        written = self._writer.finish()
        return KeptOutputs(self._path, written.size, written.sha256)
