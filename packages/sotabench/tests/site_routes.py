"""Every address of the site, as the URL configuration has it."""

from collections.abc import Iterator

from django.urls import URLResolver, get_resolver


def all_routes():
    """The routes, each once."""
    return sorted(set(_routes(get_resolver().url_patterns)))


def _routes(patterns, before="") -> Iterator[str]:
    for pattern in patterns:
        if isinstance(pattern, URLResolver):
            yield from _routes(pattern.url_patterns, before + str(pattern.pattern))
        else:
            yield before + str(pattern.pattern)
