"""Numbers and strangers' words on a page."""

import pytest

from sotabench.server.web.formats import amount, percent, plain, points, published_percent, safe_url


@pytest.mark.parametrize(
    ("fraction", "samples", "text"),
    [(0.79312, 50_000, "79.312 %"), (0.9, 20, "90 %"), (0.9312, 10_000, "93.12 %"), (0.5, None, "50.000 %")],
)
def test_a_fraction_has_as_many_digits_as_its_images_can_tell_apart(fraction, samples, text):
    assert percent(fraction, samples) == text


@pytest.mark.parametrize(
    ("fraction", "step", "text"), [(0.796, 0.001, "79.6 %"), (0.79312, 1e-5, "79.312 %"), (0.8, 0.01, "80 %")]
)
def test_a_published_figure_keeps_its_digits(fraction, step, text):
    assert published_percent(fraction, step) == text


def test_a_difference_is_in_points_with_its_sign():
    assert (points(0.0123), points(-0.0123)) == ("+1.23", "\u22121.23")


def test_a_large_number_is_short():
    assert [amount(value) for value in (88_791_336, 4_652_008, 16.4e9, 7.79)] == ["88.8 M", "4.65 M", "16.4 G", "7.79"]


@pytest.mark.parametrize(
    "address",
    [
        "javascript:alert(1)",
        "JaVaScRiPt:alert(1)",
        "data:text/html,x",
        "//evil.example",
        "https://",
        'https://a.example/"onmouseover=x',
        "https://a.example/\u202egnp.exe",
        "https://[broken",
        "java\nscript:alert(1)",
        "",
    ],
)
def test_only_an_http_address_becomes_a_link(address):
    assert safe_url(address) == ""


def test_an_http_address_stays_as_it_is():
    assert safe_url("https://example.org/a?b=c") == "https://example.org/a?b=c"


def test_what_turns_the_writing_direction_is_made_visible():
    assert plain("a\u202eb\x1b[31m") == "a\\u202eb\\x1b[31m"
