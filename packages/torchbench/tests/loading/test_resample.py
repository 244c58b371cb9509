import threading

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from PIL import Image

from torchbench.loading import resample as resampling
from torchbench.loading.resample import FILTERS, Part, Placement, backend, resample, resample_part, source_window

SIDES = st.one_of(st.integers(1, 12), st.integers(1, 120), st.integers(1, 700))


def noise(width: int, height: int, seed: int = 0) -> np.ndarray:
    """Random levels, a third of them black or white: sums that leave 0..255 are common."""
    random = np.random.default_rng(seed)
    levels = random.integers(0, 256, (height, width, 3), dtype=np.uint8)
    return np.where(random.random(levels.shape) < 1 / 3, (levels > 127) * np.uint8(255), levels)


def by_pillow(rgb, resized, interpolation, box):
    left, top, width, height = box
    image = Image.fromarray(rgb).resize(resized, interpolation)
    return np.asarray(image.crop((left, top, left + width, top + height)))


def by_torchbench(rgb, resized, interpolation, box):
    out = np.full((box[3] + 2, box[2] + 2, 3), 77, np.uint8)
    resample(rgb, resized, interpolation, box, out[1:-1, 1:-1])
    border = out.copy()
    border[1:-1, 1:-1] = 77
    assert (border == 77).all(), "wrote outside of its output"
    return out[1:-1, 1:-1]


@st.composite
def crops(draw, sides=SIDES):
    source, resized = (draw(sides), draw(sides)), (draw(sides), draw(sides))
    left, top = (draw(st.integers(0, side - 1)) for side in resized)
    width, height = draw(st.integers(1, resized[0] - left)), draw(st.integers(1, resized[1] - top))
    return source, resized, (left, top, width, height)


kernel_only = pytest.mark.skipif(backend().startswith("Pillow"), reason=f"nothing but {backend()} here")


@given(crops(), st.sampled_from(FILTERS), st.integers(0, 3))
@settings(deadline=None, max_examples=400)
@example(((1, 1), (1, 1), (0, 0, 1, 1)), Image.Resampling.BILINEAR, 0)
@example(((5000, 2), (3, 300), (1, 10, 2, 200)), Image.Resampling.LANCZOS, 0)
@example(((2, 5000), (300, 3), (10, 1, 200, 2)), Image.Resampling.BICUBIC, 0)
@example(((4000, 3000), (341, 256), (58, 16, 224, 224)), Image.Resampling.BICUBIC, 0)
@example(((3000, 5000), (3, 5), (0, 0, 3, 5)), Image.Resampling.HAMMING, 0)
@example(((1, 1), (300, 200), (7, 9, 224, 150)), Image.Resampling.BOX, 0)
def test_a_crop_has_the_values_of_pillow_to_the_last_bit(crop, interpolation, seed):
    source, resized, box = crop
    rgb = noise(*source, seed)
    expected = by_pillow(rgb, resized, interpolation, box)
    np.testing.assert_array_equal(by_torchbench(rgb, resized, interpolation, box), expected)


@kernel_only
@given(crops(), st.sampled_from(FILTERS), st.booleans())
@settings(deadline=None, max_examples=150)
def test_scalar_and_vector_instructions_give_the_same_values(crop, interpolation, vertical_first):
    source, resized, box = crop
    results = [np.empty((box[3], box[2], 3), np.uint8) for _ in range(2)]
    for scalar, out in enumerate(results):
        part = Part.whole(noise(*source))
        resampling.native.resample(*part, resized, box, int(interpolation), vertical_first, bool(scalar), out)
    np.testing.assert_array_equal(*results)


@kernel_only
@given(crops(st.integers(1, 90)), st.sampled_from(FILTERS))
@settings(deadline=None, max_examples=200)
def test_the_source_window_is_all_that_a_crop_needs(crop, interpolation):
    source, resized, box = crop
    rgb = noise(*source)
    left, top, right, bottom = source_window(source, resized, interpolation, box)
    part = Part(np.ascontiguousarray(rgb[top:bottom, left:right]), (left, top), source)
    out = np.empty((box[3], box[2], 3), np.uint8)
    resample_part(part, Placement(resized, box), interpolation, out)
    np.testing.assert_array_equal(out, by_pillow(rgb, resized, interpolation, box))


def test_two_pixels_become_their_mean_rounded_up_at_the_half():
    rgb = np.array([[[0, 10, 254], [1, 20, 255]]], np.uint8)
    out = np.empty((1, 1, 3), np.uint8)
    resample(rgb, (1, 1), Image.Resampling.BOX, (0, 0, 1, 1), out)
    assert out.tolist() == [[[1, 15, 255]]]


def test_an_image_may_have_rows_with_gaps():
    wide = noise(50, 40)
    rgb = wide[:, :33]
    expected = by_pillow(np.ascontiguousarray(rgb), (20, 17), 3, (2, 1, 15, 14))
    np.testing.assert_array_equal(by_torchbench(rgb, (20, 17), 3, (2, 1, 15, 14)), expected)


def test_many_threads_get_the_same_values():
    rgb = noise(97, 83)
    expected = by_pillow(rgb, (64, 55), 3, (3, 3, 50, 50))
    results = np.zeros((16, 50, 50, 3), np.uint8)

    def fill(out):
        for _ in range(20):
            resample(rgb, (64, 55), 3, (3, 3, 50, 50), out)

    threads = [threading.Thread(target=fill, args=(out,)) for out in results]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (results == expected).all()


def test_every_size_of_the_usual_evaluations_has_the_values_of_pillow():
    rgb = noise(500, 375, 5)
    for size, crop in ((256, 224), (280, 240), (300, 260), (342, 299), (384, 384), (480, 480)):
        resized = (int(size * 500 / 375), size)
        box = (round((resized[0] - crop) / 2), round((size - crop) / 2), crop, crop)
        for interpolation in (Image.Resampling.BILINEAR, Image.Resampling.BICUBIC):
            expected = by_pillow(rgb, resized, interpolation, box)
            np.testing.assert_array_equal(by_torchbench(rgb, resized, interpolation, box), expected)


def test_photographs_have_the_values_of_pillow(photographs):
    for path in sorted(photographs.rglob("*.jpg")):
        with Image.open(path) as image:
            rgb = np.asarray(image.convert("RGB"))
        short = min(rgb.shape[:2])
        resized = (256 * rgb.shape[1] // short, 256 * rgb.shape[0] // short)
        box = (round((resized[0] - 224) / 2), round((resized[1] - 224) / 2), 224, 224)
        for interpolation in FILTERS:
            expected = by_pillow(rgb, resized, interpolation, box)
            np.testing.assert_array_equal(by_torchbench(rgb, resized, interpolation, box), expected)


@kernel_only
@pytest.mark.parametrize(
    ("resized", "interpolation", "box", "shape"),
    [
        ((0, 5), 2, (0, 0, 1, 1), (1, 1, 3)),
        ((5, 5), 2, (0, 0, 6, 5), (5, 6, 3)),
        ((5, 5), 2, (-1, 0, 5, 5), (5, 5, 3)),
        ((5, 5), 2, (2**31 - 1, 0, 5, 5), (5, 5, 3)),
        ((5, 5), 2, (0, 0, 0, 5), (5, 1, 3)),
        ((5, 5), 2, (0, 0, 5, 5), (5, 4, 3)),
        ((5, 5), 2, (0, 0, 5, 5), (5, 5, 4)),
        ((2**30, 5), 2, (0, 0, 5, 5), (5, 5, 3)),
    ],
)
def test_what_does_not_fit_together_is_refused(resized, interpolation, box, shape):
    with pytest.raises(ValueError, match="expected"):
        resample(noise(8, 8), resized, interpolation, box, np.empty(shape, np.uint8))


@kernel_only
def test_pixels_that_do_not_cover_the_crop_are_refused():
    out = np.empty((5, 5, 3), np.uint8)
    for origin in ((0, 0), (4, 4), (2**31 - 1, 0)):
        with pytest.raises(ValueError, match=r"cover|inside"):
            resample_part(Part(noise(4, 4), origin, (8, 8)), Placement((5, 5), (0, 0, 5, 5)), 2, out)


def test_without_the_kernel_pillow_does_the_work_and_says_so_once(monkeypatch, caplog):
    monkeypatch.setattr(resampling, "native", None)
    resampling._agreed_order.cache_clear()
    try:
        rgb = noise(30, 20)
        for _ in range(2):
            expected = by_pillow(rgb, (12, 11), 2, (1, 1, 9, 9))
            np.testing.assert_array_equal(by_torchbench(rgb, (12, 11), 2, (1, 1, 9, 9)), expected)
        assert backend().startswith("Pillow")
        assert source_window((30, 20), (12, 11), 2, (1, 1, 9, 9)) == (0, 0, 30, 20)
        assert [record.getMessage() for record in caplog.records] == [
            "images are resized by Pillow, slower and exact: the native kernel was not compiled"
        ]
    finally:
        resampling._agreed_order.cache_clear()


@kernel_only
def test_a_pillow_that_the_kernel_does_not_agree_with_is_left_to_pillow(monkeypatch):
    monkeypatch.setattr(resampling, "ORDERS", {"other": lambda _source, _resized: True})
    resampling._agreed_order.cache_clear()
    try:
        assert backend().endswith("this version differs from the native kernel")
    finally:
        resampling._agreed_order.cache_clear()
