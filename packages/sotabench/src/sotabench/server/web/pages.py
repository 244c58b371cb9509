"""Long lists in pages, and addresses that keep what was chosen."""

from dataclasses import dataclass
from typing import Any, Protocol, cast

from django.core.paginator import Page, Paginator
from django.http import QueryDict

ROWS = 50


@dataclass(frozen=True)
class Chosen:
    """What an address asks for; `having` is the same with something changed, as `?...` for a link."""

    query: QueryDict

    def one_of(self, name: str, known: tuple[str, ...] | list[str]) -> str:
        """The value when it is a known one, else the first of the known."""
        value = self.query.get(name, "")
        return value if value in known else known[0]

    def text(self, name: str, longest: int = 200) -> str:
        """What was typed, without spaces around it and without NULs, which no database can look for."""
        return (self.query.get(name) or "").replace("\0", "").strip()[:longest]

    def having(self, **changes: str | None) -> str:
        """The query string with these changed and the page forgotten; None takes one away."""
        copy = self.query.copy()
        copy.pop("page", None)
        for name, value in changes.items():
            copy.pop(name, None)
            if value is not None:
                copy[name] = value
        return f"?{copy.urlencode()}"


@dataclass(frozen=True)
class PageLinks:
    """One page of a list, and the links to those before and after it."""

    page: Page[Any]
    before: str
    after: str


class Rows(Protocol):
    """A list of which only a page is read; a QuerySet is one."""

    def count(self) -> int:
        """How long it is."""

    def __getitem__(self, part: slice, /) -> Any:
        """A part of it."""


def page_of(rows: Rows, chosen: Chosen, size: int = ROWS) -> PageLinks:
    """The page that the address asks for, or the nearest that there is."""
    page: Page[Any] = Paginator(cast("Any", rows), size).get_page(chosen.query.get("page"))
    return PageLinks(
        page,
        before=chosen.having() + f"&page={page.previous_page_number()}" if page.has_previous() else "",
        after=chosen.having() + f"&page={page.next_page_number()}" if page.has_next() else "",
    )
