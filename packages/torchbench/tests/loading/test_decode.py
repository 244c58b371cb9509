import io
import random
import struct
import threading
import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from torchbench.errors import BrokenImage
from torchbench.loading import decode as decoding
from torchbench.loading.crop import Placement, load_crop
from torchbench.loading.decode import decode_part, decode_rgb, decoder, plain_size

native_only = pytest.mark.skipif(decoding.native is None, reason="the native decoder was not compiled")


def picture(width: int, height: int, seed: int = 0, noise: float = 0.3) -> Image.Image:
    """Slopes, edges and some noise: coefficients of every size, and levels that clip."""
    random_ = np.random.default_rng(seed)
    y, x = np.mgrid[:height, :width]
    slopes = np.stack([3 * x + y, 2 * y, 255 - x - 2 * y], axis=-1) % 256
    edges = np.where(((x // 7 + y // 11) % 2 == 0)[..., None], slopes, 255 * (slopes > 128))
    levels = np.where(random_.random((height, width, 1)) < noise, random_.integers(0, 256, (height, width, 3)), edges)
    return Image.fromarray(levels.astype(np.uint8))


def encoded(image: Image.Image, file_format: str = "JPEG", **options) -> bytes:
    file = io.BytesIO()
    image.save(file, file_format, **options)
    return file.getvalue()


def by_pillow(data: bytes) -> np.ndarray:
    with Image.open(io.BytesIO(data)) as image:
        return np.asarray(image.convert("RGB"))


def outcome(decode, data: bytes):
    """The pixels, or None for an error."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return decode(data)
        except (OSError, SyntaxError, ValueError, Image.DecompressionBombError, BrokenImage):
            return None


def assert_same_outcome(data: bytes) -> None:
    expected, got = outcome(by_pillow, data), outcome(decode_rgb, data)
    assert (expected is None) == (got is None)
    if expected is not None:
        np.testing.assert_array_equal(got, expected)


def with_segment(data: bytes, marker: int, body: bytes) -> bytes:
    """The JPEG with one more segment, right after its first two bytes."""
    return data[:2] + struct.pack(">BBH", 0xFF, marker, len(body) + 2) + body + data[2:]


JPEGS = st.fixed_dictionaries(
    {"quality": st.integers(1, 100), "subsampling": st.sampled_from(["4:4:4", "4:2:2", "4:2:0"])},
    optional={
        "optimize": st.just(value=True),
        "progressive": st.just(value=True),
        "restart_marker_blocks": st.integers(1, 30),
    },
)
RGB_JPEGS = st.fixed_dictionaries({"quality": st.integers(1, 100), "keep_rgb": st.just(value=True)})


@given(st.integers(1, 120), st.integers(1, 120), st.sampled_from(["RGB", "L"]), JPEGS | RGB_JPEGS, st.integers(0, 9))
@settings(deadline=None, max_examples=300)
def test_a_jpeg_has_the_values_of_pillow_to_the_last_bit(width, height, mode, options, seed):
    data = encoded(picture(width, height, seed, noise=seed / 9).convert(mode), **options)
    np.testing.assert_array_equal(decode_rgb(data), by_pillow(data))


@native_only
@given(st.data(), st.sampled_from(["4:4:4", "4:2:2", "4:2:0"]), st.sampled_from(["RGB", "L"]))
@settings(deadline=None, max_examples=200)
def test_a_window_has_the_values_of_the_whole(data, subsampling, mode):
    width, height = data.draw(st.integers(1, 150)), data.draw(st.integers(1, 150))
    options = data.draw(st.sampled_from([{}, {"restart_marker_blocks": 3}, {"progressive": True}]))
    jpeg = encoded(picture(width, height).convert(mode), subsampling=subsampling, quality=80, **options)
    size = plain_size(jpeg)
    if size is None:
        assert min(width, height) <= 8, "so narrow that libjpeg enlarges chroma in another way"
        return
    left, top = data.draw(st.integers(0, width - 1)), data.draw(st.integers(0, height - 1))
    right, bottom = data.draw(st.integers(left + 1, width)), data.draw(st.integers(top + 1, height))
    part = decode_part(jpeg, size, (left, top, right, bottom))
    assert (part.origin, part.size) == ((left, top), (width, height))
    np.testing.assert_array_equal(part.pixels, by_pillow(jpeg)[top:bottom, left:right])


@native_only
@pytest.mark.parametrize("progressive", [False, True])
@pytest.mark.parametrize("subsampling", ["4:4:4", "4:2:2", "4:2:0"])
def test_the_usual_jpegs_are_decoded_natively(subsampling, progressive):
    data = encoded(picture(90, 70), subsampling=subsampling, progressive=progressive)
    assert plain_size(data) == (90, 70)
    assert decode_part(data, (90, 70), (0, 0, 90, 70)) is not None
    assert decoder().startswith("torchbench")


@pytest.mark.filterwarnings("ignore:Saving I mode images as PNG:DeprecationWarning")
@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "YCbCr", "I;16", "I", "F"])
@pytest.mark.parametrize("file_format", ["JPEG", "PNG", "TIFF", "GIF", "WEBP", "BMP"])
def test_every_mode_in_every_format_is_what_pillow_makes_of_it(mode, file_format):
    image = picture(33, 21).convert("L" if mode == "I;16" else mode)
    if mode == "I;16":
        image = Image.fromarray(np.asarray(image, np.uint16) * 257)
    try:
        data = encoded(image, file_format)
    except (OSError, ValueError):
        return  # this format has no such mode
    assert_same_outcome(data)


def test_orientation_is_ignored():
    exif = Image.Exif()
    exif[0x0112] = 6
    data = encoded(picture(40, 30), exif=exif, dpi=(72, 72))
    assert decode_rgb(data).shape == (30, 40, 3)
    assert_same_outcome(data)


@pytest.mark.parametrize("name", ["a.JPEG", "b.png"])
def test_a_png_is_a_png_whatever_its_name(tmp_path, name):
    path = tmp_path / name
    path.write_bytes(encoded(picture(40, 30), "PNG"))
    np.testing.assert_array_equal(decode_rgb(path), np.asarray(picture(40, 30)))


def test_two_pictures_in_one_file_are_the_first_one():
    data = encoded(picture(40, 30), "MPO", save_all=True, append_images=[picture(40, 30, 1)])
    assert_same_outcome(data)


@pytest.mark.parametrize("transform", [0, 1, 2, 7])
def test_adobe_says_how_colours_are_coded(transform):
    plain = encoded(picture(40, 30), subsampling="4:4:4")
    data = plain[:2] + plain[plain.index(b"\xff\xdb") :]  # without JFIF's segment, which would decide
    assert_same_outcome(data)
    assert_same_outcome(with_segment(data, 0xEE, b"Adobe\0\x64\0\0\0\0" + bytes([transform])))
    assert_same_outcome(with_segment(plain, 0xEE, b"Adobe\0\x64\0\0\0\0" + bytes([transform])))


@pytest.mark.parametrize("sampling", [0x11, 0x12, 0x14, 0x21, 0x22, 0x24, 0x41, 0x42, 0x13, 0x31])
def test_sampling_that_the_scan_was_not_written_for_is_what_pillow_makes_of_it(sampling):
    for image in (picture(80, 50), picture(80, 50).convert("L")):
        data = bytearray(encoded(image, subsampling="4:4:4"))
        data[data.index(b"\xff\xc0") + 11] = sampling
        assert_same_outcome(bytes(data))


@pytest.mark.parametrize(
    ("marker", "body"),
    [
        (0xED, b"Photoshop 3.0\x008BIM\x03\xed\x00\x00"),
        (0xED, b"Photoshop 3.0\x008BIM"),
        (0xE1, b"Exif\0\0II*\0\x08\0\0\0\x01\0\x1a\x01\x05\0\x01\0\0\0\xff\xff\xff\xff"),
        (0xE1, b"Exif\0\0broken"),
        (0xE2, b"ICC_PROFILE\0"),
        (0xE2, b"MPF\0II*\0\x08\0\0\0"),
        (0xE0, b"JFIF"),
        (0xEE, b"Adobe"),
        (0xFE, b""),
    ],
)
def test_broken_metadata_are_what_pillow_makes_of_them(marker, body):
    data = encoded(picture(40, 30))
    assert_same_outcome(with_segment(data, marker, body))
    assert_same_outcome(with_segment(data[:2] + data[20:], marker, body))


def test_what_follows_the_image_does_not_matter():
    data = encoded(picture(40, 30))
    for tail in (b"\0" * 100, b"\xff\xd9", b"text", data):
        assert_same_outcome(data + tail)


@pytest.mark.parametrize("progressive", [False, True])
def test_a_truncated_file_is_broken_and_named(tmp_path, progressive):
    data = encoded(picture(64, 64), progressive=progressive)
    for length in (0, 1, 2, 20, len(data) // 2, len(data) - 30, len(data) - 2, len(data) - 1):
        assert_same_outcome(data[:length])
    path = tmp_path / "half.JPEG"
    path.write_bytes(data[: len(data) // 2])
    with pytest.raises(BrokenImage, match=r"half\.JPEG cannot be decoded: .*; copy this file again"):
        decode_rgb(path)


def test_a_missing_file_is_broken_and_named(tmp_path):
    with pytest.raises(BrokenImage, match=r"none\.JPEG"):
        decode_rgb(tmp_path / "none.JPEG")


@pytest.mark.parametrize("limit", [900, 1000, 1300, None])
def test_limits_on_pixels_are_those_of_pillow(monkeypatch, limit):
    data = encoded(picture(50, 40))
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", limit)
    assert_same_outcome(data)


@pytest.mark.parametrize("seed", range(4))
def test_damaged_files_have_the_outcome_of_pillow(seed):
    chance = random.Random(seed)  # noqa: S311 - damage needs no secrecy
    images = [picture(50, 40), picture(50, 40).convert("L")]
    options = [
        {"subsampling": "4:2:0"},
        {"subsampling": "4:4:4", "restart_marker_blocks": 4},
        {"progressive": True},
        {"progressive": True, "subsampling": "4:4:4"},
    ]
    jpegs = [encoded(image, **option) for image in images for option in options]
    for _ in range(300):
        data = bytearray(chance.choice(jpegs))
        for _ in range(chance.choice([1, 1, 2, 5])):
            reach = len(data) if chance.random() < 0.5 else min(len(data), 650)
            data[chance.randrange(reach)] = chance.choice([chance.randrange(256), 0xFF, 0, 0xD9])
        if chance.random() < 0.2:
            del data[chance.randrange(len(data)) :]
        assert_same_outcome(bytes(data))


def test_photographs_have_the_values_of_pillow(photographs):
    for path in sorted(photographs.rglob("*.jpg")):
        np.testing.assert_array_equal(decode_rgb(path), by_pillow(path.read_bytes()))


def centre(size: int, crop: int):
    def place(width: int, height: int) -> Placement:
        short, long = min(width, height), int(size * max(width, height) / min(width, height))
        resized = (size, long) if width == short else (long, size)
        return Placement(resized, (round((resized[0] - crop) / 2), round((resized[1] - crop) / 2), crop, crop))

    return place


def crop_by_pillow(data: bytes, place, interpolation) -> np.ndarray:
    with Image.open(io.BytesIO(data)) as file:
        image = file.convert("RGB")
    resized, (left, top, width, height) = place(*image.size)
    return np.asarray(image.resize(resized, interpolation).crop((left, top, left + width, top + height)))


def assert_crops_agree(path, geometries) -> None:
    data = path.read_bytes()
    for size, crop in geometries:
        for interpolation in (Image.Resampling.BILINEAR, Image.Resampling.BICUBIC):
            out = np.empty((crop, crop, 3), np.uint8)
            load_crop(path, centre(size, crop), interpolation, out)
            np.testing.assert_array_equal(out, crop_by_pillow(data, centre(size, crop), interpolation), str(path))


@given(st.integers(9, 200), st.integers(9, 200), JPEGS, st.sampled_from([(32, 28), (40, 40), (100, 90)]))
@settings(deadline=None, max_examples=60)
def test_a_crop_of_a_file_has_the_values_of_pillow(tmp_path_factory, width, height, options, geometry):
    path = tmp_path_factory.getbasetemp() / "crop.JPEG"
    path.write_bytes(encoded(picture(width, height), **options))
    assert_crops_agree(path, [geometry])


def test_crops_of_photographs_have_the_values_of_pillow(photographs):
    for path in sorted(photographs.rglob("*.jpg")):
        assert_crops_agree(path, [(256, 224), (384, 384)])


def test_crops_of_imagenet_have_the_values_of_pillow(imagenet_sample):
    geometries = [(256, 224), (280, 240), (300, 260), (342, 299), (384, 384), (480, 480)]
    for number, path in enumerate(sorted(imagenet_sample.glob("*.JPEG"))):
        assert_crops_agree(path, [geometries[number % 6], geometries[(number + 1) % 6]])


def test_an_error_of_the_place_passes_through(tmp_path):
    path = tmp_path / "image.JPEG"
    path.write_bytes(encoded(picture(40, 30)))
    with pytest.raises(ZeroDivisionError):
        load_crop(path, lambda width, _: 1 // (width - 40), 2, np.empty((8, 8, 3), np.uint8))


def test_many_threads_get_the_same_crops(tmp_path):
    paths, expected = [], []
    for number in range(4):
        paths.append(tmp_path / f"{number}.JPEG")
        paths[-1].write_bytes(encoded(picture(150 + 20 * number, 120, number), subsampling="4:2:0"))
        expected.append(crop_by_pillow(paths[-1].read_bytes(), centre(64, 56), 3))
    wrong = []

    def work():
        out = np.empty((56, 56, 3), np.uint8)
        for turn in range(40):
            load_crop(paths[turn % 4], centre(64, 56), 3, out)
            if not np.array_equal(out, expected[turn % 4]):
                wrong.append(turn)

    threads = [threading.Thread(target=work) for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


@pytest.fixture
def forgetful():
    """The check at start-up is made anew, before and after."""
    decoding._native_agrees.cache_clear()
    yield
    decoding._native_agrees.cache_clear()


@pytest.mark.usefixtures("forgetful")
def test_without_the_native_decoder_pillow_does_the_work_and_says_so_once(monkeypatch, caplog):
    monkeypatch.setattr(decoding, "native", None)
    data = encoded(picture(40, 30))
    for _ in range(2):
        np.testing.assert_array_equal(decode_rgb(data), by_pillow(data))
    assert [record.getMessage() for record in caplog.records] == [
        "JPEGs are decoded by Pillow, slower and exact: the native decoder was not compiled"
    ]
    assert decoder().startswith("Pillow")


@native_only
@pytest.mark.usefixtures("forgetful")
def test_where_pillow_decodes_otherwise_pillow_decodes(monkeypatch, caplog):
    monkeypatch.setattr(decoding, "_by_pillow", lambda data: by_pillow(data) ^ 1)
    data = encoded(picture(40, 30))
    assert decoder().startswith("Pillow")
    np.testing.assert_array_equal(decode_rgb(data), by_pillow(data) ^ 1)
    assert "differs from this version of Pillow" in caplog.text
