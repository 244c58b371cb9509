"""How a line of log looks, of the site and of the runner beside it: JSON for programs, text for a person's eyes."""

import json
import logging
import traceback
from datetime import UTC, datetime

from benchrecord import printable


class JsonFormatter(logging.Formatter):
    """One JSON object a line: time, level, logger, message, what was passed as `extra={"facts": {...}}`, traceback."""

    def format(self, record: logging.LogRecord) -> str:
        """The line."""
        line = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            **getattr(record, "facts", {}),
        }
        if record.exc_info:
            line["traceback"] = "".join(traceback.format_exception(*record.exc_info))
        return json.dumps(line, default=str)


class TextFormatter(logging.Formatter):
    """The same for a person's eyes: a line a message, then the facts as `name=value`, then the traceback."""

    def __init__(self) -> None:
        super().__init__("{asctime} {levelname} {name} {message}", style="{")

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - logging's name
        """The line: what strangers wrote cannot end it, nor move a terminal's cursor."""
        facts = "".join(f" {name}={value}" for name, value in getattr(record, "facts", {}).items())
        return printable(super().formatMessage(record) + facts, 2000)
