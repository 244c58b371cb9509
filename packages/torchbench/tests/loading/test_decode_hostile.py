"""JPEGs that a stranger bent on trouble might send: whatever Pillow makes of them, we make of them."""

import io
import random
import struct
import warnings

import numpy as np
import pytest
from PIL import Image, features

from torchbench.errors import BrokenImage
from torchbench.images import open_rgb
from torchbench.loading import normalise
from torchbench.loading.crop import Placement, load_crop
from torchbench.loading.decode import decode_rgb
from torchbench.loading.normalise import look_up

Segments = list[tuple[int, bytes]]


def by_pillow(data: bytes) -> Image.Image | None:
    """The image, or None for an error."""
    try:
        with Image.open(io.BytesIO(data)) as image:
            return image.convert("RGB")
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError):
        return None


def assert_same_outcome(data: bytes) -> None:
    expected = by_pillow(data)
    if expected is None:
        with pytest.raises(BrokenImage):
            decode_rgb(data)
    else:
        np.testing.assert_array_equal(decode_rgb(data), np.asarray(expected))


def segment(marker: int, body: bytes) -> bytes:
    return struct.pack(">BBH", 0xFF, marker, len(body) + 2) + body


def code_table(kind: int, counts: list[int], symbols: list[int]) -> bytes:
    return segment(0xC4, bytes([kind, *counts, *[0] * (16 - len(counts)), *symbols]))


def grey_jpeg(codes: bytes, bits: bytes, width: int = 8, height: int = 8) -> bytes:
    """A JPEG of one component, written marker by marker."""
    frame = struct.pack(">BHHB", 8, height, width, 1) + b"\1\x11\0"
    head = segment(0xDB, b"\0" + b"\1" * 64) + segment(0xC0, frame)
    return b"\xff\xd8" + head + codes + segment(0xDA, b"\1\1\0\0\x3f\0") + bits + b"\xff\xd9"


@pytest.mark.parametrize(
    ("dc_counts", "ac_counts"), [([1], [1]), ([2], [1]), ([1], [2]), ([1, 2], [1]), ([1, 1], [1, 2])]
)
def test_a_code_table_may_not_use_the_code_of_ones(dc_counts, ac_counts):
    codes = code_table(0x00, dc_counts, list(range(sum(dc_counts))))
    codes += code_table(0x10, ac_counts, list(range(sum(ac_counts))))
    data = grey_jpeg(codes, b"\x3f")
    assert (by_pillow(data) is not None) == (2 not in dc_counts + ac_counts)
    assert_same_outcome(data)


@pytest.mark.parametrize("side", [65499, 65500, 65501, 65535])
@pytest.mark.parametrize("is_wide", [False, True])
def test_libjpegs_longest_side_is_ours(side, is_wide):
    blocks = (side + 7) // 8
    codes = code_table(0x00, [1], [0]) + code_table(0x10, [1], [0])
    bits = b"\0" * (blocks // 4) + bytes([0xFF >> 2 * (blocks % 4)]).replace(b"\xff", b"")
    data = grey_jpeg(codes, bits, *((side, 8) if is_wide else (8, side)))
    assert (by_pillow(data) is not None) == (side <= 65500)
    assert_same_outcome(data)


def seeds() -> list[bytes]:
    """Small JPEGs of every kind that is decoded in a way of its own."""
    noise = np.random.default_rng(0).integers(0, 256, (7, 9, 3), np.uint8)
    files = []
    for width, height in ((41, 29), (16, 50), (7, 9)):
        image = Image.fromarray(noise).resize((width, height), Image.Resampling.BICUBIC)
        for options in ({}, {"restart_marker_blocks": 1}, {"restart_marker_blocks": 4}, {"progressive": True}):
            for picture, subsampling in ((image, 0), (image, 1), (image, 2), (image.convert("L"), 0)):
                file = io.BytesIO()
                picture.save(file, "JPEG", quality=85, subsampling=subsampling, **options)
                files.append(file.getvalue())
    return files


SEGMENTS: Segments = [
    (0xE0, b"JFIF\0\1\1\0\0\1\0\1\0\0"),
    (0xE1, b"Exif\0\0II*\0\x08\0\0\0\0\0\0\0\0\0"),
    (0xE2, b"MPF\0II*\0\x08\0\0\0\0\0"),
    (0xEE, b"Adobe\0\x64\0\0\0\0\0"),
    (0xEE, b"Adobe\0\x64\0\0\0\0\2"),
    (0xDD, b"\0\1"),
    (0xDD, b"\0\0"),
    (0xDB, b"\x10" + bytes(range(128))),
    (0xC4, b"\0\2" + bytes(15) + b"\0\1"),
    (0xC4, b"\x10\1" + bytes(15) + b"\0"),
    (0xDC, b"\0\x08"),
    (0xFE, b""),
]
INSERTS = (b"\xff\xff", b"\xff\0", b"\xff\xd0", b"\xff\xd3", b"\xff\xd9", b"\xff\xdc\0\4\0\x08", b"\0", b"\xff")


def taken_apart(data: bytes) -> tuple[Segments, bytes]:
    """The segments before the first scan's bits, and the rest."""
    at, found = 2, []
    while not found or found[-1][0] != 0xDA:
        (length,) = struct.unpack(">H", data[at + 2 : at + 4])
        found.append((data[at + 1], data[at + 4 : at + 2 + length]))
        at += 2 + length
    return found, data[at:]


def damage_segments(chance: random.Random, segments: Segments, others: Segments) -> None:
    """Swaps, repeats, leaves out, inserts or changes one."""
    here, action = chance.randrange(len(segments)), chance.randrange(6)
    marker, body = segments[here]
    if action == 0:
        there = chance.randrange(len(segments))
        segments[here], segments[there] = segments[there], segments[here]
    elif action == 1:
        segments.insert(here, chance.choice([*segments, *others, *SEGMENTS]))
    elif action == 2:
        del segments[here]
    elif body:
        changed = bytearray(body)
        changed[chance.randrange(len(body))] = chance.choice([0, 1, 2, 0x11, 0x21, 0x22, 0xFF, chance.randrange(256)])
        segments[here] = (marker, bytes(changed))


def damage_bits(chance: random.Random, bits: bytearray) -> None:
    """Flips a bit, inserts, leaves out, cuts off, or changes a restart marker."""
    from_end = chance.random() < 0.4
    place = len(bits) - 1 - chance.randrange(8) if from_end else chance.randrange(len(bits))
    action = chance.randrange(6)
    if action < 2:
        bits[place] ^= 1 << chance.randrange(8)
    elif action == 2:
        bits[place:place] = chance.choice(INSERTS)
    elif action == 3:
        del bits[place : place + chance.choice([1, 2, 9])]
    elif action == 4 and len(bits) > 30:
        del bits[place:]
        bits += chance.choice([b"", b"\xff", b"\xff\xd9", b"\xff\xd9\0\xff\xd8"])
    else:
        markers = [at for at in range(len(bits) - 1) if bits[at] == 0xFF and bits[at + 1] >= 0xD0]
        bits[chance.choice(markers) + 1] = chance.choice([0, *range(0xD0, 0xDA)]) if markers else 0


def damaged(chance: random.Random, files: list[bytes]) -> bytes:
    segments, bits = taken_apart(chance.choice(files))
    others, _ = taken_apart(chance.choice(files))
    changed = bytearray(bits)
    where = chance.choice(["header", "bits", "both"])
    if where != "bits":
        for _ in range(chance.choice([1, 1, 2])):
            damage_segments(chance, segments, others)
    if where != "header":
        damage_bits(chance, changed)
    return b"\xff\xd8" + b"".join(segment(marker, body) for marker, body in segments) + bytes(changed)


def placement(chance: random.Random, size: tuple[int, int]) -> Placement:
    """A small box, often at the top: what lies below is not decoded."""
    resized = tuple(max(1, int(side * chance.choice([0.4, 1, 1.5]))) for side in size)
    box = tuple(max(1, side // chance.choice([1, 2, 4])) for side in resized)
    left, top = (chance.choice([0, side - part]) for side, part in zip(resized, box, strict=True))
    return Placement(resized, (left, top, *box))


def assert_same_crop(path, data: bytes, chance: random.Random) -> None:
    expected = by_pillow(data)
    place = placement(chance, (8, 8) if expected is None else expected.size)
    left, top, width, height = place.box
    out = np.empty((height, width, 3), np.uint8)
    path.write_bytes(data)
    if expected is None:
        with pytest.raises(BrokenImage):
            load_crop(path, lambda *_: place, Image.Resampling.BILINEAR, out)
        return
    load_crop(path, lambda *_: place, Image.Resampling.BILINEAR, out)
    resized = expected.resize(place.resized, Image.Resampling.BILINEAR)
    np.testing.assert_array_equal(out, np.asarray(resized.crop((left, top, left + width, top + height))))


@pytest.mark.parametrize("seed", range(4))
def test_a_crop_of_a_damaged_file_has_the_outcome_of_pillow(tmp_path, seed):
    chance, files = random.Random(seed), seeds()  # noqa: S311 - damage needs no secrecy
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what Pillow says of broken metadata
        for _ in range(400):
            data = damaged(chance, files)
            assert_same_outcome(data)
            assert_same_crop(tmp_path / "damaged.JPEG", data, chance)


@pytest.mark.skipif(not features.check("avif"), reason="this Pillow reads no AVIF")
def test_a_damaged_file_of_another_format_is_broken_and_named(tmp_path):
    path = tmp_path / "avif.JPEG"
    Image.new("RGB", (16, 16), "red").save(path, "AVIF")
    head, marker, body = path.read_bytes().partition(b"mdat")
    path.write_bytes(head + marker + bytes(len(body)))
    place = Placement((16, 16), (0, 0, 16, 16))
    with pytest.raises(BrokenImage, match=r"avif\.JPEG cannot be decoded"):
        load_crop(path, lambda *_: place, Image.Resampling.BILINEAR, np.empty((16, 16, 3), np.uint8))
    with pytest.raises(BrokenImage, match=r"avif\.JPEG cannot be decoded"):
        open_rgb(path)


native_only = pytest.mark.skipif(normalise._native is None, reason="the native kernel was not compiled")


@native_only
@pytest.mark.parametrize("images", [6148914691236517206, 2**62, -1, 0, 2])
def test_a_count_of_images_that_does_not_fit_writes_nowhere(images):
    levels, values = np.zeros(2, np.uint8), np.zeros(2, np.float32)
    with pytest.raises(ValueError, match="expected uint8"):
        normalise._native(levels, np.zeros((3, 256), np.float32), values, images)


@native_only
def test_values_that_are_not_aligned_are_refused():
    levels, table = np.zeros((1, 4, 4, 3), np.uint8), np.zeros((3, 256), np.float32)
    values = np.zeros(48 * 4 + 1, np.uint8)[1:].view(np.float32).reshape(1, 3, 4, 4)
    with pytest.raises(ValueError, match="aligned"):
        look_up(levels, table, values)
