"""Long lists, a page at a time."""

from collections.abc import Iterable
from typing import Any

from django.db.models import QuerySet
from django.http import HttpRequest
from ninja import Field, Schema
from ninja.pagination import PaginationBase

from sotabench.server.by_keys import in_order, keys_of

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
        """The page and the number of all: two queries, and those of what is fetched along."""
        part = slice(pagination.offset, pagination.offset + pagination.limit)
        return {"items": self.rows(queryset, part), "count": queryset.count()}

    def rows(self, queryset: QuerySet[Any], part: slice) -> Iterable[Any]:
        """A page's rows; from the middle they are found by their keys, so that what is before them is not read."""
        return in_order(queryset, list(keys_of(queryset)[part])) if part.start else queryset[part]
