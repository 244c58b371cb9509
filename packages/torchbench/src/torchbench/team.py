"""One evaluation shared by the processes that torchrun started: every image once, one record."""

import atexit
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from functools import cache
from typing import Any, TypeVar

import torch
import torch.distributed as dist

from torchbench.settings import Settings

T = TypeVar("T")
_PATIENCE = timedelta(days=1)  # a process that died is noticed by torchrun, not by a time-out


@dataclass(frozen=True)
class Team:
    """The processes of one evaluation; a process on its own is a team of one, which says nothing to anyone.

    What passes between them are the library's own objects, through gloo on the processor, whatever the model uses.
    """

    rank: int = 0
    size: int = 1
    local_rank: int = 0

    @property
    def leads(self) -> bool:
        """Whether this process finds the data, shows the report and writes the record."""
        return self.rank == 0

    def share(self, total: int) -> slice:
        """This process's part of `total` images: contiguous, and all parts together are all images once."""
        return slice(self.rank * total // self.size, (self.rank + 1) * total // self.size)

    def device(self) -> str | None:
        """The accelerator of this process where there are several; None leaves the choice to the default."""
        return f"cuda:{self.local_rank}" if self.size > 1 and torch.cuda.is_available() else None

    def from_leader(self, work: Callable[[], T]) -> T:
        """What `work` gives in the leading process, in every process."""
        if self.size == 1:
            return work()
        box = [work() if self.leads else None]
        dist.broadcast_object_list(box, src=0, group=_gloo_group())
        return box[0]  # type: ignore[return-value]  # the leader's T arrived

    def gather(self, part: T) -> list[T]:
        """Every process's `part` in the order of the ranks, in every process."""
        if self.size == 1:
            return [part]
        parts: list[Any] = [None] * self.size
        dist.all_gather_object(parts, part, group=_gloo_group())
        return parts


ALONE = Team()


def team_of(settings: Settings) -> Team:
    """The team that torchrun's settings describe."""
    if settings.world_size == 1:
        return ALONE
    return Team(settings.rank, settings.world_size, settings.local_rank)


@cache
def _gloo_group() -> Any:
    """The processes' group, joined once and kept until the process ends; beside a group of the caller's own."""
    group: Any
    if dist.is_initialized():
        group = dist.new_group(backend="gloo", timeout=_PATIENCE)
    else:
        dist.init_process_group("gloo", timeout=_PATIENCE)
        group = dist.group.WORLD
    atexit.register(_leave)
    return group


def _leave() -> None:
    """Wait for the group's threads: one that lets go of a tensor while the interpreter ends aborts the process.

    They are joined when nothing refers to the group any more, so nothing but the cache above may keep it.
    """
    group = _gloo_group()
    _gloo_group.cache_clear()
    with suppress(ValueError):  # the caller has destroyed every group
        dist.destroy_process_group(group)
