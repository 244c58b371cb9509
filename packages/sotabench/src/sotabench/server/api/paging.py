"""Long lists, a page at a time."""

from typing import Any

from django.db.models import QuerySet
from django.http import HttpRequest
from ninja import Field, Schema
from ninja.pagination import PaginationBase

MOST_A_PAGE = 200


class Pages(PaginationBase):
    """`limit` items from `offset` on, beside the `count` of all."""

    class Input(Schema):
        """Which page."""

        limit: int = Field(50, ge=1, le=MOST_A_PAGE)
        offset: int = Field(0, ge=0, le=10**9)

    class Output(Schema):
        """A page and the number of all."""

        items: list[Any]
        count: int

    def paginate_queryset(
        self,
        queryset: QuerySet[Any],
        pagination: Any,
        request: HttpRequest,  # noqa: ARG002 - every paginator is given it
        **params: Any,  # noqa: ARG002 - these too
    ) -> dict[str, Any]:
        """The page and the number of all: two queries, and those of what is fetched along.

        A page from the middle is found by its keys, for one query more: so what is before it is not read.
        """
        part = slice(pagination.offset, pagination.offset + pagination.limit)
        page = _by_keys(queryset, part) if pagination.offset else queryset[part]
        return {"items": page, "count": queryset.count()}


def _by_keys(queryset: QuerySet[Any], part: slice) -> list[Any]:
    bare = queryset.select_related(None).prefetch_related(None)
    keys = list(bare.values_list("pk", flat=True)[part])
    found = queryset.in_bulk(keys)
    return [found[key] for key in keys if key in found]
