"""Results in an order, of which only a page is read: an index walk up to it, however long the leaderboard is."""

from dataclasses import dataclass
from functools import cached_property

from django.db.models import QuerySet

from sotabench.server.benchmarks.models import Result


@dataclass(frozen=True)
class Ordered:
    """The keys of `rows`, by a field; equal ones by key, those without a value last, whichever way the order goes.

    They are read as two lists, those with a value and those without. Asked for both at once, PostgreSQL would sort them
    all, because an index has its empty values at the same end for both directions.

    The first `few` are read at once: where they are all, they are counted too, so that an index in which few are found
    is searched once; where they are not, the first pages are among them. 0 where many are expected.
    """

    rows: QuerySet[Result]
    field: str
    up: bool
    few: int = 0

    def count(self) -> int:
        """How many there are."""
        return len(self._first) if self._is_whole else self._bare.count()

    def __getitem__(self, part: slice) -> list[int]:
        """The keys of one page."""
        return self._first[part] if self._is_whole or part.stop <= len(self._first) else self._read(part)

    def _read(self, part: slice) -> list[int]:
        keys = list(self._valued[part])
        if len(keys) == part.stop - part.start or not self._has_empty:
            return keys
        before = part.start + len(keys) if keys else self._valued.count()
        empty = self._bare.filter(**{f"{self.field}__isnull": True}).order_by("id")
        return keys + list(empty[part.start + len(keys) - before : part.stop - before])

    @cached_property
    def _first(self) -> list[int]:
        """One key more than few, or all."""
        return self._read(slice(0, self.few + 1)) if self.few else []

    @property
    def _is_whole(self) -> bool:
        return 0 < self.few >= len(self._first)

    @cached_property
    def _bare(self) -> QuerySet[Result, int]:
        return self.rows.select_related(None).prefetch_related(None).order_by().values_list("pk", flat=True)

    @cached_property
    def _valued(self) -> QuerySet[Result, int]:
        found = self._bare.filter(**{f"{self.field}__isnull": False}) if self._has_empty else self._bare
        return found.order_by(self.field if self.up else f"-{self.field}", "id")

    @property
    def _has_empty(self) -> bool:
        return self.field not in {"rank_value", "model_name", "created_at"}
