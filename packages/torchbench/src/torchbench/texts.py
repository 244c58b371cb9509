"""What strangers' objects and errors say of themselves, as a record can hold it."""

import re
from typing import Any

from benchrecord.record import MAX_TEXT

_NOT_STORABLE = re.compile("[\0\ud800-\udfff]")


def printed(thing: Any) -> str | None:
    """What an object prints itself as, without addresses in memory, which differ from run to run; None if it fails."""
    try:
        text = repr(thing)
    except Exception:  # noqa: BLE001 - a stranger's code, of which nothing but this text is asked
        return None
    return re.sub(r" at 0x[0-9a-f]+", "", text)


def storable(text: str, limit: int = MAX_TEXT) -> str:
    """The text, cut with an ellipsis after `limit` characters; what no record can hold appears as its escape."""
    escaped = _NOT_STORABLE.sub(lambda found: found[0].encode("unicode_escape").decode("ascii"), text[: limit + 1])
    return escaped if len(escaped) <= limit else f"{escaped[: limit - 3]}..."
