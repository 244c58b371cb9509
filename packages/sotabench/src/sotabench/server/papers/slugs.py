"""Addresses made of names."""

import hashlib
from functools import lru_cache

from django.utils.text import slugify

_LONGEST_PART = 120
_LONGEST_TITLE = 160


@lru_cache(maxsize=1024)
def benchmark_slug(task: str, dataset: str) -> str:
    """`image-classification-on-imagenet` for `Image Classification` on `ImageNet`."""
    return f"{_slug(task, _LONGEST_PART)}-on-{_slug(dataset, _LONGEST_PART)}"


def title_slug(title: str) -> str:
    """A paper's address, made of its title."""
    return _slug(title, _LONGEST_TITLE)


def _slug(text: str, longest: int) -> str:
    """The words of the text; where there are none that an address can hold, or too many, digits that stand for it."""
    slug = slugify(text)
    if slug and len(slug) <= longest:
        return slug
    digest = hashlib.sha256(text.encode()).hexdigest()[:8]
    return f"{slug[: longest - 9].rstrip('-')}-{digest}".lstrip("-")
