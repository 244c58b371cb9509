r"""A process's output as lines that harm no terminal, no log and no page.

Colours and other escape sequences are dropped, a progress bar that redraws its line with `\r` becomes the line that it
drew last, everything invisible that is left appears as its escape.
"""

import codecs
import re

from benchrecord import printable

MOST_CHARACTERS = 2_000
"""Of one line; the rest of a longer one is dropped."""

_ESCAPES = re.compile(r"\x1b(?:\[[0-?]{0,64}[ -/]{0,16}[@-~]|\][^\x07\x1b]{0,2000}(?:\x07|\x1b\\)|[@-Z\\^_])")


def harmless(line: str) -> str:
    """One line without its end, safe to show."""
    drawn = _ESCAPES.sub("", line[: 4 * MOST_CHARACTERS].rstrip("\r\n").rpartition("\r")[2]).expandtabs(8)
    return printable(drawn, MOST_CHARACTERS)


class Lines:
    """Bytes in, whole lines out; at most a few thousand characters are held back for a line that has no end yet."""

    def __init__(self) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")
        self._rest = ""

    def feed(self, data: bytes) -> list[str]:
        """The lines that these bytes complete."""
        *whole, rest = (self._rest + self._decoder.decode(data)).split("\n")
        if "\r" in rest[:-1]:
            rest = rest[rest.rindex("\r", 0, -1) :]
        self._rest = rest[: 4 * MOST_CHARACTERS]
        return [harmless(line) for line in whole]

    def finish(self) -> list[str]:
        """The last line, when it had no end."""
        rest, self._rest = self._rest + self._decoder.decode(b"", final=True), ""
        return [harmless(rest)] if rest.strip() else []
