"""Which image is which: the name under which builds see it, and its own. Kept among the site's files, never shown."""

import csv
import hashlib
import io
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache

from django.core.files.base import ContentFile
from django.core.files.storage import default_storage

from sotabench.server.benchmarks.models import DataCopy

COLUMNS = ("seen", "id", "sha256")


@dataclass(frozen=True)
class Numbered:
    """An image: the name that builds see, its own id, and the SHA-256 of its file."""

    seen: str
    id: str
    sha256: str


def keep_numbers(images: Iterable[Numbered]) -> str:
    """Keep them under their digest; the name of the file."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows((image.seen, image.id, image.sha256) for image in images)
    content = text.getvalue().encode()
    name = f"numbers/{hashlib.sha256(content).hexdigest()}.csv"
    return name if default_storage.exists(name) else default_storage.save(name, ContentFile(content))


def numbers_of(copy: DataCopy) -> Mapping[str, str]:
    """The id of every image of the copy by the name that builds see; not to be changed."""
    return {image.seen: image.id for image in images_of(copy)}


def images_of(copy: DataCopy) -> tuple[Numbered, ...]:
    """All images of the copy."""
    return _read(copy.numbers.name)


@lru_cache(maxsize=4)
def _read(name: str) -> tuple[Numbered, ...]:
    with default_storage.open(name) as file:
        lines = csv.DictReader(io.StringIO(file.read().decode("utf-8")), strict=True)
        return tuple(Numbered(line["seen"], line["id"], line["sha256"]) for line in lines)
