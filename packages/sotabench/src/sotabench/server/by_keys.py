"""Pages of long lists: first the keys, which an index holds, then the rows of these keys alone."""

from typing import TypeVar

from django.db.models import Model, QuerySet

_Row = TypeVar("_Row", bound=Model)


def keys_of(rows: QuerySet[_Row]) -> QuerySet[_Row, int]:
    """The rows' keys alone, in their order: a database sorts and skips these faster than whole rows."""
    return rows.select_related(None).prefetch_related(None).values_list("pk", flat=True)


def in_order(rows: QuerySet[_Row], keys: list[int]) -> list[_Row]:
    """The rows of these keys, in the order of the keys.

    Where there are many, `rows` has no condition by which the keys were chosen: SQLite would look for all those again.
    """
    found = rows.in_bulk(keys)
    return [found[key] for key in keys if key in found]
