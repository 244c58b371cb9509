"""The right class of every image of a benchmark: given by the site's owner, used for scoring, never shown."""

import csv
import hashlib
import io
from functools import lru_cache

from django.core.files.base import ContentFile
from django.core.files.storage import default_storage

from sotabench.server.benchmarks.models import Benchmark
from sotabench.server.errors import Invalid

COLUMNS = ["id", "class_index"]
_MOST_CLASSES = 1_000_000


def set_labels(benchmark: Benchmark, content: bytes) -> int:
    """Keep the labels of a CSV file with the columns `id,class_index`; how many. Raises Invalid, naming the line.

    They are kept under their digest, so labels that changed are other labels to whoever remembers an answer.
    """
    labels = _parse(content)
    if benchmark.size is not None and len(labels) != benchmark.size:
        raise Invalid(f"expected labels for {benchmark.size} images of {benchmark}, found {len(labels)}")
    name = f"labels/{hashlib.sha256(content).hexdigest()}.csv"
    if not default_storage.exists(name):
        default_storage.save(name, ContentFile(content))
    benchmark.labels.name = name
    benchmark.save(update_fields=["labels"])
    return len(labels)


def labels_of(benchmark: Benchmark) -> dict[str, int] | None:
    """The class of every image by its id, or None when the site does not have them; not to be changed."""
    return _read(benchmark.labels.name) if benchmark.labels else None


@lru_cache(maxsize=4)
def _read(name: str) -> dict[str, int]:
    with default_storage.open(name) as file:
        return _parse(file.read())


def _parse(content: bytes) -> dict[str, int]:
    try:
        lines = csv.DictReader(io.StringIO(content.decode("utf-8")), strict=True)
        if lines.fieldnames != COLUMNS:
            raise Invalid(
                f"expected the columns {','.join(COLUMNS)}, found {','.join(lines.fieldnames or ())[:200] or 'none'}"
            )
        labels: dict[str, int] = {}
        for line in lines:
            number = int(line["class_index"])
            if not line["id"] or line["id"] in labels or not 0 <= number < _MOST_CLASSES:
                raise Invalid(f"line {lines.line_num}: expected an id that is new and a class from 0, found another")
            labels[line["id"]] = number
    except (ValueError, TypeError, csv.Error) as error:
        raise Invalid(f"expected CSV with the columns {','.join(COLUMNS)}, found: {error}") from error
    return labels
