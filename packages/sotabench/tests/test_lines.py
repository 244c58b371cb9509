"""A process's output becomes lines that do no harm."""

from hypothesis import given
from hypothesis import strategies as st

from sotabench.lines import MOST_CHARACTERS, Lines, harmless


def test_colours_titles_and_redrawn_progress_are_gone():
    assert harmless("\x1b[1;31merror\x1b[0m: \x1b]0;owned\x07no") == "error: no"
    assert harmless(" 10%|#   |\r 50%|##  |\r100%|####|\r\n") == "100%|####|"


def test_what_is_invisible_appears_as_its_escape():
    assert harmless("a\u202eb\x00c\x9b31m") == "a\\u202eb\\x00c\\x9b31m"


@given(st.binary(max_size=300), st.integers(1, 7))
def test_lines_are_the_same_however_the_bytes_arrive(data, size):
    whole, parts = Lines(), Lines()
    expected = whole.feed(data) + whole.finish()
    found = [line for start in range(0, len(data), size) for line in parts.feed(data[start : start + size])]
    assert found + parts.finish() == expected
    assert all(line.isprintable() for line in expected)


def test_line_without_an_end_is_not_kept_in_memory_whole():
    lines = Lines()
    for _ in range(100):
        assert lines.feed(b"x" * 100_000) == []
    assert len(lines.finish()[0]) <= MOST_CHARACTERS + 3
