"""Numbers and strangers' words on a page."""

import pytest

from sotabench.server.web.formats import amount, difference, number, percent, plain, points, published_percent, safe_url


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
    ("value", "text"),
    [
        (999.4, "999"),
        (999.6, "1 k"),
        (999_600, "1 M"),
        (9.996e11, "1 T"),
        (9.99e14, "999 T"),
        (1e18, "1e+18"),
        (0, "0"),
    ],
)
def test_a_large_number_goes_over_to_the_next_unit_when_it_is_rounded(value, text):
    assert amount(value) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (32.47, "32.47"), (999.6, "999.6"), (40.0, "40"), (0.1 + 0.2, "0.3"), (1234.5678, "1234.57"), (-3.25, "-3.25"),
        (1_234_567.8, "1234568"), (0.000123456789, "0.000123457"), (0, "0"), (1e308, "1e+308"),
        (5e-324, "4.94066e-324"),
    ],
)  # fmt: skip
def test_a_figure_has_six_digits_and_no_exponent_unless_it_is_beyond_all_bounds(value, text):
    assert number(value) == text


@pytest.mark.parametrize(
    ("value", "step", "text"),
    [
        (-0.1, 0.1, "\u22120.1"), (-0.03, 0.1, "\u22120.03"), (0.0, 0.1, "+0.0"), (-0.00001, 0.1, "+0.0"),
        (2.0, 1.0, "+2"), (1.5, 1.0, "+1.5"), (12.0, 10.0, "+12"), (0.00012, 1e-5, "+0.00012"),
        (-1e308, 1e308, "\u22121e+308"),
    ],
)  # fmt: skip
def test_a_difference_of_what_is_no_fraction_has_the_published_digits(value, step, text):
    assert difference(value, step=step, is_fraction=False) == text


def test_a_difference_of_fractions_says_that_it_is_in_points():
    assert difference(-0.0123, step=0.001, is_fraction=True) == "\u22121.23 points"


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
