"""The record: what one evaluation produced, one JSON object a model in a file that is a JSON list.

`validate_record` holds the format. `append_record` writes on the user's own machine; `read_records` reads a file whose
writer is not trusted. Neither understands more JSON than the standard does: no NaN, no key twice.
"""

import json
import math
import os
import re
import reprlib
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any, NoReturn, TypeAlias, cast

from benchrecord.errors import InvalidRecord
from benchrecord.files import exclusive_lock, read_strangers_file, replace_file

FORMAT = 1
"""Version of the record."""

PREDECESSORS_KEYS = frozenset(
    {"model", "model_description", "task", "dataset_name", "results", "paper_results", "speed_mem_metrics"}
    | {"arxiv_id", "pwc_id", "pytorch_hub_id", "run_hash"}
)
"""All keys of the records that torchbench 0.0.31 and older wrote, which carry no `format`."""

MAX_DEPTH = 16
MAX_VALUES = 1_000_000
MAX_TEXT = 20_000
MAX_KEY = 200
MAX_INTEGER = 2**63 - 1
_MAX_OWN_FILE = 256 << 20

# A string that never ends matches up to the end of the text, so that no part of it is looked at twice.
_TOKEN = re.compile(r'"[^"\\]*+(?:\\.[^"\\]*+)*+"?|[\[\]{},]', re.DOTALL)
_NOT_STORABLE = re.compile("[\0\ud800-\udfff]")
_FILE_NAME = re.compile(r"(?!.*\.\.)[A-Za-z0-9][A-Za-z0-9._-]{0,254}")
_SHA256 = re.compile(r"[0-9a-f]{64}")

Check = Callable[[str, object], None]
_Place: TypeAlias = "str | tuple[_Place, str | int]"
"""Where a value stands: the record, or a key or number in a place."""


def append_record(path: str | Path, record: Mapping[str, Any]) -> None:
    """Add the record to the JSON list at `path`; folder and file are made when missing, an empty file is an empty list.

    Several processes may append at once: they wait for each other at `.<name>.lock` beside the file. A process that is
    killed leaves the old or the new list. A symbolic link is followed, so it stays and its target is replaced.
    Raises InvalidRecord, with the file untouched, when the record is not JSON (NaN and infinity are not) or the file is
    not a list; OSError when the disk refuses.
    """
    _check_values("record", dict(record), depth=1)
    target = Path(os.path.realpath(path))
    target.parent.mkdir(parents=True, exist_ok=True)
    with exclusive_lock(target.with_name(f".{target.name}.lock")):
        records = [*_own_records(target), dict(record)]
        content = json.dumps(records, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
        replace_file(target, content.encode(), temporary=target.with_name(f".{target.name}.tmp"))


def check_appendable(path: str | Path, record: Mapping[str, Any]) -> None:
    """Raise what `append_record` would raise now, and append nothing; for before the work whose result is recorded.

    Makes the folder when it is missing.
    """
    _check_values("record", dict(record), depth=1)
    target = Path(os.path.realpath(path))
    target.parent.mkdir(parents=True, exist_ok=True)
    with TemporaryFile(dir=target.parent):
        _own_records(target)


def read_records(path: str | Path, *, max_size: int = 16 << 20, max_records: int = 1_000) -> list[dict[str, Any]]:
    """The objects in a file whose writer is not trusted; `validate_record` then says whether each is a record.

    Raises InvalidRecord when the file is a link, not regular or larger than `max_size` bytes, or is not a list of at
    most `max_records` objects in plain JSON within the bounds at the top of this module.
    """
    content = read_strangers_file(Path(path), limit=max_size, error=InvalidRecord)
    records = _parse(content)
    if not isinstance(records, list) or not all(isinstance(record, dict) for record in records):
        raise InvalidRecord(f"expected a JSON list of records, found {_kind(records)}")
    if len(records) > max_records:
        raise InvalidRecord(f"expected at most {max_records} records, found {len(records)}")
    return records


def validate_record(record: Mapping[str, Any], *, predecessor: bool = False, carried_over: bool = False) -> None:
    """Raise InvalidRecord, naming the key, unless this is a record of version `FORMAT`.

    Keys that the format does not know are allowed; they are bounded like all others. With `predecessor`, a record
    without `format` passes too when it holds nothing but the predecessor's keys. With `carried_over`, so does one that
    says that the call of its `call_key` did not run, because its result is known from an earlier run.
    """
    if not isinstance(record, dict):
        _refuse("the record", "a JSON object", record)
    _check_values("record", record, depth=1)
    if predecessor and "format" not in record:
        if unknown := sorted(record.keys() - PREDECESSORS_KEYS):
            _refuse("a record without format", "one with the predecessor's keys only", unknown)
        required = _REQUIRED - {"format"}
    else:
        required = _REQUIRED
    if missing := sorted(required - record.keys()):
        raise InvalidRecord(f"expected the keys {', '.join(sorted(required))}, found none named {', '.join(missing)}")
    for key in record.keys() & _FIELDS.keys():
        if record[key] is not None or key in _NEVER_NULL:
            _FIELDS[key](key, record[key])
    if record.get("carried_over"):
        _check_carried_over(record, allowed=carried_over)
    elif not record["results"] and record.get("predictions") is None:
        _refuse("results", "given, unless there are predictions to score", record["results"])


def _check_carried_over(record: Mapping[str, Any], *, allowed: bool) -> None:
    if not allowed:
        _refuse("the record", "one of a call that ran", "one that is carried over from an earlier run")
    if record["results"] or record.get("predictions") is not None or record.get("call_key") is None:
        _refuse("a record that is carried over", "one with a call_key, without results and predictions", record)


def printable(text: str, limit: int = 500) -> str:
    r"""A stranger's text on one line, harmless for a terminal or a log, cut after `limit` characters.

    Control characters, escape sequences, changes of the writing direction and other invisible characters appear as
    their escapes: `\x1b`, `\n`, `\u202e`. This is not HTML escaping.
    """
    cut = text[:limit]
    if not cut.isprintable():
        cut = "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in cut)
    return cut if len(text) <= limit else f"{cut}..."


def _own_records(path: Path) -> list[Any]:
    if not os.path.lexists(path):
        return []
    advice = f"move {str(path)!r} away or store the records under another name"
    try:
        content = read_strangers_file(path, limit=_MAX_OWN_FILE, error=InvalidRecord, hard_links=True)
        records = _parse(content) if content else []
    except InvalidRecord as error:
        raise InvalidRecord(f"{error}; {advice}") from error
    if not isinstance(records, list):
        raise InvalidRecord(f"expected a JSON list of records, found {_kind(records)}; {advice}")
    return records


def _parse(content: bytes) -> object:
    """The value of a JSON text, its depth and number of values bounded before any of it is built."""
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise InvalidRecord(f"expected JSON in UTF-8, found other bytes at byte {error.start}") from error
    _check_nesting(text)
    try:
        value = json.loads(
            text,
            object_pairs_hook=_no_key_twice,
            parse_int=_integer,
            parse_float=_finite,
            parse_constant=lambda found: _refuse("every number", "finite", found),
        )
    except json.JSONDecodeError as error:
        raise InvalidRecord(f"expected JSON, found: {error}") from error
    _check_values("file", value, depth=0)
    return value


def _check_nesting(text: str) -> None:
    depth = values = 0
    for token in _TOKEN.finditer(text):
        match token[0]:
            case "[" | "{":
                depth += 1
                values += 1
            case "]" | "}":
                depth -= 1
            case ",":
                values += 1
        if depth > MAX_DEPTH or values > MAX_VALUES:
            raise InvalidRecord(f"expected JSON at most {MAX_DEPTH} deep with at most {MAX_VALUES} values, found more")


def _no_key_twice(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) == len(pairs):
        return found
    twice, _ = Counter(key for key, _ in pairs).most_common(1)[0]
    raise InvalidRecord(f"expected every key once, found {printable(twice, 40)!r} more than once")


def _integer(text: str) -> int:
    if len(text) > len(str(MAX_INTEGER)) + 1:
        _refuse("every integer", "one of 64 bits", f"{len(text)} characters")
    return int(text)


def _finite(text: str) -> float:
    if not math.isfinite(value := float(text)):
        _refuse("every number", "finite", text)
    return value


def _check_values(place: _Place, value: object, *, depth: int) -> None:
    """Raise InvalidRecord, naming the place, unless all of `value` can be stored as JSON.

    `depth` is the number of lists and objects that hold `value` itself; it goes no deeper than is allowed.
    """
    if not isinstance(value, dict | list | tuple):
        _check_scalar(place, value)
        return
    if depth >= MAX_DEPTH:
        raise InvalidRecord(f"expected JSON at most {MAX_DEPTH} deep, found more at {_words(place)[:200]}")
    if isinstance(value, dict):
        _check_keys(place, value)
    for step, inner in value.items() if isinstance(value, dict) else enumerate(value):
        _check_values((place, step), inner, depth=depth + 1)


def _words(place: _Place) -> str:
    """The place as a message names it. Made for a message alone: of a million values each has one."""
    if isinstance(place, str):
        return place
    outer, step = place
    return f"{_words(outer)}[{step}]" if isinstance(step, int) else f"{_words(outer)}.{printable(step, 60)}"


def _check_keys(place: _Place, item: dict[Any, object]) -> None:
    for key in item:
        if not isinstance(key, str) or len(key) > MAX_KEY or _NOT_STORABLE.search(key):
            _refuse(f"every key in {_words(place)}", f"text of at most {MAX_KEY} characters without NUL", key)


def _check_scalar(place: _Place, item: object) -> None:
    if isinstance(item, str):
        if len(item) > MAX_TEXT or _NOT_STORABLE.search(item):
            _refuse(_words(place), f"text of at most {MAX_TEXT} characters without NUL or half characters", item)
    elif isinstance(item, float):
        if not math.isfinite(item):
            _refuse(_words(place), "a finite number", item)
    elif isinstance(item, int):
        if abs(item) > MAX_INTEGER:
            _refuse(_words(place), "an integer of 64 bits", "a larger one")
    elif item is not None:
        _refuse(_words(place), "text, a number, true, false, null, a list or an object", item)


def _refuse(where: str, expected: str, found: object) -> NoReturn:
    raise InvalidRecord(f"expected {where} to be {expected}, found {printable(reprlib.repr(found), 200)}")


def _kind(value: object) -> str:
    return "a list with other things in it" if isinstance(value, list) else f"{type(value).__name__}"


def _text(limit: int) -> Check:
    def check(key: str, value: object) -> None:
        if not isinstance(value, str) or len(value) > limit:
            _refuse(key, f"text of at most {limit} characters, or null", value)

    return check


def _name(key: str, value: object) -> None:
    if not (isinstance(value, str) and 1 <= len(value) <= 100 and value.isprintable()):
        _refuse(key, "a name of 1 to 100 printable characters", value)


def _object(key: str, value: object) -> None:
    if not isinstance(value, dict):
        _refuse(key, "an object, or null", value)


def _object_or_text(key: str, value: object) -> None:
    if not isinstance(value, dict | str):
        _refuse(key, "an object, text or null", value)


def _list(key: str, value: object) -> None:
    if not isinstance(value, list | tuple):
        _refuse(key, "a list, or null", value)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_integer(value: object, *, least: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= least


def _format(key: str, value: object) -> None:
    if not _is_integer(value, least=1) or value != FORMAT:
        _refuse(key, f"{FORMAT}, the version that this software reads", value)


def _numbers(key: str, value: object) -> None:
    if not isinstance(value, dict):
        _refuse(key, "an object of numbers by metric", value)
    for name, number in value.items():
        _name(f"every metric in {key}", name)
        if not _is_number(number):
            _refuse(f"{key}[{name!r}]", "a number", number)


def _results(key: str, value: object) -> None:
    """Numbers by metric; an accuracy is a fraction."""
    _numbers(key, value)
    for name, number in cast("dict[str, float]", value).items():
        if "accuracy" in name.lower() and not 0 <= number <= 1:
            _refuse(f"{key}[{name!r}]", "a fraction from 0 to 1", number)


def _intervals(key: str, value: object) -> None:
    if not isinstance(value, dict):
        _refuse(key, "an object of intervals by metric", value)
    for name, interval in value.items():
        pair = isinstance(interval, list | tuple) and len(interval) == 2 and all(map(_is_number, interval))
        if not pair or not 0 <= interval[0] <= interval[1] <= 1:
            _refuse(f"{key}[{name!r}]", "two fractions in order", interval)


def _samples(key: str, value: object) -> None:
    if not _is_integer(value, least=0):
        _refuse(key, "a count of images", value)


def _file(key: str, value: object) -> None:
    if not isinstance(value, dict) or value.keys() != {"name", "size", "sha256"}:
        _refuse(key, "an object of name, size and sha256", value)
    if not isinstance(value["name"], str) or not _FILE_NAME.fullmatch(value["name"]):
        _refuse(f"{key}.name", "a plain file name of letters, digits, '-', '_' and '.'", value["name"])
    if not _is_integer(value["size"], least=1):
        _refuse(f"{key}.size", "a number of bytes", value["size"])
    if not isinstance(value["sha256"], str) or not _SHA256.fullmatch(value["sha256"]):
        _refuse(f"{key}.sha256", "64 hexadecimal digits in lower case", value["sha256"])


def _key(key: str, value: object) -> None:
    if not isinstance(value, str) or not _SHA256.fullmatch(value):
        _refuse(key, "64 hexadecimal digits in lower case, or null", value)


def _flag(key: str, value: object) -> None:
    if not isinstance(value, bool):
        _refuse(key, "true, false or null", value)


def _target_map(key: str, value: object) -> None:
    _list(key, value)
    targets = cast("list[object]", value)
    if not all(_is_integer(target, least=0) for target in targets) or set(targets) != set(range(len(targets))):
        _refuse(key, "a bijection: a list that holds every class from 0 exactly once", value)


_REQUIRED = frozenset({"format", "task", "dataset_name", "model", "results"})
_NEVER_NULL = _REQUIRED - {"model"}
_FIELDS: dict[str, Check] = {
    "format": _format,
    "model": _text(300),
    "model_description": _text(MAX_TEXT),
    "task": _name,
    "dataset_name": _name,
    "results": _results,
    "intervals": _intervals,
    "samples": _samples,
    "arxiv_id": _text(200),
    "pwc_id": _text(200),
    "pytorch_hub_id": _text(200),
    "paper_results": _numbers,
    "run_hash": _text(200),
    "call_key": _key,
    "carried_over": _flag,
    "predictions": _file,
    "outputs": _file,
    "target_map": _target_map,
    "speed_mem_metrics": _object,
    "dataset": _object,
    "transform": _object_or_text,
    "model_facts": _object,
    "weights": _list,
    "declared": _object,
    "speed": _object,
    "environment": _object,
}
