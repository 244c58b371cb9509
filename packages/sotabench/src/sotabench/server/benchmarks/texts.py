"""A stranger's text in a column of a table."""

from benchrecord import printable


def fitting(text: str, longest: int) -> str:
    """The text on one line, harmless, and never longer than its column: what is invisible grows when it is shown."""
    shown = printable(text, longest)
    return shown if len(shown) <= longest else f"{shown[: longest - 3]}..."
