import io
import struct
import tracemalloc
import zipfile

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchrecord import InvalidPredictions, PredictionsBuilder, read_predictions, write_predictions

ARRAYS = ("classes", "log_probabilities", "log_sum_exp")
NAMES = ["format", "kind", "number_of_classes", "ids", *ARRAYS]


@pytest.fixture
def predictions(rank, random_outputs):
    return rank(random_outputs[:20])


@pytest.fixture
def attack(tmp_path, predictions):
    """Read a file made of the good one's arrays with `changes`; None leaves a member out."""

    def attacked(changes=None, *, method=zipfile.ZIP_DEFLATED, order=NAMES):
        arrays = good_arrays(predictions) | (changes or {})
        content = io.BytesIO()
        with zipfile.ZipFile(content, "w", method) as archive:
            for name in [*order, *(arrays.keys() - set(NAMES))]:
                if arrays[name] is not None:
                    archive.writestr(zipfile.ZipInfo(f"{name}.npy"), npy(arrays[name]), method)
        return read_bytes(tmp_path, content.getvalue())

    return attacked


@pytest.fixture
def good(tmp_path, predictions):
    """The bytes of a good file."""
    write_predictions(tmp_path / "good.npz", predictions)
    return (tmp_path / "good.npz").read_bytes()


def good_arrays(predictions):
    return {
        "format": np.array(1),
        "kind": np.array(predictions.kind, "<U13"),
        "number_of_classes": np.array(predictions.number_of_classes),
        "ids": np.array(predictions.ids),
        **{name: getattr(predictions, name) for name in ARRAYS},
    }


def npy(array):
    if isinstance(array, bytes):
        return array
    content = io.BytesIO()
    np.lib.format.write_array(content, array, (1, 0))
    return content.getvalue()


def read_bytes(folder, content, **limits):
    path = folder / "attack.npz"
    path.write_bytes(content)
    return read_predictions(path, **limits)


def same(found, expected):
    fields = ("ids", "kind", "number_of_classes")
    return all(getattr(found, name) == getattr(expected, name) for name in fields) and all(
        getattr(found, name).tobytes() == getattr(expected, name).tobytes() for name in ARRAYS
    )


@settings(deadline=None)
@given(st.lists(st.text(min_size=1, max_size=40).filter(str.isprintable), unique=True, max_size=5), st.integers(1, 7))
def test_what_was_written_is_read_bit_for_bit(tmp_path_factory, ids, classes):
    builder = PredictionsBuilder(classes)
    builder.add(ids, np.random.default_rng(len(ids)).normal(size=(len(ids), classes)))
    path = tmp_path_factory.mktemp("predictions") / "p.npz"
    write_predictions(path, builder.finish())
    assert same(read_predictions(path), builder.finish())


def test_probabilities_and_images_that_are_not_finite_are_read_back(rank, tmp_path):
    predictions = rank(np.array([[0.5, 0.5], [np.nan, 1.0]]))
    write_predictions(tmp_path / "p.npz", predictions)
    found = read_predictions(tmp_path / "p.npz")
    assert same(found, predictions)
    assert (found.kind, found.nonfinite) == ("probabilities", 1)


def test_equal_predictions_give_equal_bytes(rank, random_outputs, tmp_path):
    first = write_predictions(tmp_path / "a" / "p.npz", rank(random_outputs, 64))
    second = write_predictions(tmp_path / "b" / "p.npz", rank(random_outputs, 7))
    assert first == second
    third = write_predictions(tmp_path / "b" / "p.npz", read_predictions(tmp_path / "a" / "p.npz"))
    assert third == first


def test_the_record_learns_name_size_and_digest(predictions, tmp_path):
    written = write_predictions(tmp_path / "p.npz", predictions)
    assert (written.name, written.size) == ("p.npz", (tmp_path / "p.npz").stat().st_size)
    assert same(read_predictions(tmp_path / "p.npz", sha256=written.sha256), predictions)
    with pytest.raises(InvalidPredictions, match=f"of SHA-256 {'0' * 64}, found {written.sha256}"):
        read_predictions(tmp_path / "p.npz", sha256="0" * 64)


def test_writing_leaves_no_other_file_and_replaces_a_link_not_its_target(predictions, tmp_path):
    (tmp_path / "precious").write_text("mine")
    (tmp_path / "p.npz").symlink_to(tmp_path / "precious")
    write_predictions(tmp_path / "p.npz", predictions)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["p.npz", "precious"]
    assert (tmp_path / "precious").read_text() == "mine"
    assert not (tmp_path / "p.npz").is_symlink()


def test_numpy_opens_the_file_too(predictions, tmp_path):
    write_predictions(tmp_path / "p.npz", predictions)
    with np.load(tmp_path / "p.npz", allow_pickle=False) as archive:
        assert archive.files == NAMES
        assert (archive["classes"] == predictions.classes).all()
        assert archive["kind"] == "logits"


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_the_good_arrays_in_another_programs_zip_are_read(attack, predictions, method):
    assert same(attack(method=method), predictions)


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_other_compressions_are_refused(attack, method):
    with pytest.raises(InvalidPredictions, match=f"stored or deflated.*found method {method}"):
        attack(method=method)


def test_missing_additional_and_misplaced_members_are_refused(attack):
    with pytest.raises(InvalidPredictions, match="expected the 7 members format, kind, .* found 6 members"):
        attack({"kind": None})
    with pytest.raises(InvalidPredictions, match="found 8 members"):
        attack({"extra": np.zeros(1)})
    with pytest.raises(InvalidPredictions, match=r"expected the member b'format\.npy', found b'log_sum_exp\.npy'"):
        attack(order=NAMES[::-1])


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_a_member_twice_is_refused(attack):
    with pytest.raises(InvalidPredictions, match=r"expected the member b'ids\.npy', found b'classes\.npy'"):
        attack(order=["format", "kind", "number_of_classes", "classes", "classes", "log_probabilities", "log_sum_exp"])


@pytest.mark.parametrize("name", NAMES)
def test_pickled_objects_are_refused_and_never_loaded(attack, name):
    shape = (20, 5) if name in {"classes", "log_probabilities"} else (20,)
    trap = np.full(shape, None, dtype=object)
    trap.flat[0] = Trap()
    with pytest.raises(InvalidPredictions, match=rf"expected {name} with dtype .*, found '\|O'"):
        attack({name: trap})
    assert not Trap.sprung


class Trap:
    sprung = False

    def __reduce__(self):
        return (setattr, (Trap, "sprung", True))


def test_structured_dtypes_are_refused(attack):
    with pytest.raises(InvalidPredictions, match="expected classes to begin as a plain array in npy format"):
        attack({"classes": np.zeros((20, 5), [("a", "<i2")])})


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"classes": np.zeros((20, 5), np.int64)}, "expected classes with dtype <i2, found '<i8'"),
        ({"classes": np.zeros((20, 5), ">i2")}, "expected classes with dtype <i2, found '>i2'"),
        ({"classes": np.zeros((20, 6), np.int16)}, r"expected classes of shape \(20, 5\), found \(20, 6\)"),
        ({"classes": np.zeros((5, 20), np.int16).T}, "expected classes to begin as a plain array"),
        ({"log_sum_exp": np.zeros((20, 1), np.float32)}, r"expected log_sum_exp of shape \(images,\)"),
        ({"log_sum_exp": np.zeros(21, np.float32)}, r"expected ids of shape \(21,\), found \(20,\)"),
        ({"log_probabilities": np.zeros((20, 5), np.float64)}, "expected log_probabilities with dtype <f4"),
        ({"log_probabilities": np.full((20, 5), np.nan, np.float32)}, "none of them NaN"),
        ({"log_probabilities": np.ones((20, 5), np.float32)}, "at most 0"),
        ({"ids": np.array(["same"] * 20)}, "found 1 ids more than once"),
        ({"ids": np.array([""] * 20)}, "expected image ids of 1 to 255 printable characters"),
        ({"ids": np.array([f"\x1b[2J{i}" for i in range(20)])}, r"printable characters, found '\\x1b\[2J0'"),
        ({"ids": np.array([f"{i:0256}" for i in range(20)])}, "expected ids with dtype .*found '<U256'"),
        ({"ids": np.array([f"{i}" for i in range(20)], "S2")}, r"expected ids with dtype .*found '\|S2'"),
        ({"kind": np.array("guesses", "<U13")}, "expected the kind"),
        ({"kind": np.array("logits")}, "expected kind with dtype <U13, found '<U6'"),
        ({"format": np.array(2)}, "expected version 1 of the predictions file, found 2"),
        ({"format": np.array([1])}, r"expected format of shape \(\), found \(1,\)"),
        ({"number_of_classes": np.array(40_000)}, "expected 1 to 32767 classes, found 40000"),
        ({"number_of_classes": np.array(-5)}, "expected 1 to 32767 classes"),
        ({"number_of_classes": np.array(7)}, "expected classes of -1 to 6"),
        ({"kind": b""}, "expected kind to begin as a plain array"),
        ({"kind": b"\x93NUMPY\x01\x00\xff\xff"}, "expected kind to begin as a plain array"),
        ({"kind": b"\x93NUMPY\x02\x00" + bytes(200)}, "expected kind to begin as a plain array"),
    ],
)
def test_arrays_of_another_form_are_refused(attack, change, message):
    with pytest.raises(InvalidPredictions, match=message):
        attack(change)


def test_numbers_that_are_no_characters_are_refused(attack):
    for point in (0x110000, 0xFFFFFFFF, 0xD800):
        ids = np.frombuffer(struct.pack("<20I", *[point] * 20), "<U1")
        with pytest.raises(InvalidPredictions, match="found values that are no characters"):
            attack({"ids": ids})


def header(descr, shape, extra=b""):
    text = f"{{'descr': {descr}, 'fortran_order': False, 'shape': {shape}, }}".encode() + extra + b"\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text


@pytest.mark.parametrize(
    "bad",
    [
        header("'<f4'", "(-1,)"),
        header("'<f4'", "(20,", b")"),
        header("__import__('os').abort()", "(20,)"),
        header("'<f4'", "(20,)", b" # comment"),
        header("'<f4'", "(20,)", b" " * 2000),
        header("(" * 300, "(20,)"),
    ],
)
def test_headers_that_numpy_would_not_write_are_refused(attack, bad):
    with pytest.raises(InvalidPredictions, match="expected log_sum_exp to begin as a plain array"):
        attack({"log_sum_exp": bad + bytes(80)})


def test_a_header_that_promises_more_than_the_member_holds_is_refused(attack):
    for images in (10**6, 10**9, 10**18, 10**300):
        with pytest.raises(InvalidPredictions, match=f"at most 1000000 images|shape .{images}"):
            attack({"log_sum_exp": header("'<f4'", f"({images},)") + bytes(80)})
    with pytest.raises(InvalidPredictions, match=r"expected log_sum_exp of \d+ bytes, found \d+ declared"):
        attack({"log_sum_exp": header("'<f4'", "(20,)") + bytes(76)})
    with pytest.raises(InvalidPredictions, match=r"expected log_sum_exp of \d+ bytes, found \d+ declared"):
        attack({"log_sum_exp": header("'<f4'", "(20,)") + bytes(84)})


def test_the_number_of_images_is_bounded(good, tmp_path):
    read_bytes(tmp_path, good, max_images=20)
    with pytest.raises(InvalidPredictions, match="expected at most 19 images, found 20"):
        read_bytes(tmp_path, good, max_images=19)


def with_fields(content, name, *, central=None, local=None):
    """The file with fields of one member's two descriptions replaced: {offset: (format, value)}."""
    content = bytearray(content)
    places = {
        "central": (content.rfind(name.encode() + b".npy") - 46, central or {}),
        "local": (content.find(name.encode() + b".npy") - 30, local or {}),
    }
    for start, fields in places.values():
        for offset, (layout, value) in fields.items():
            struct.pack_into(layout, content, start + offset, value)
    return bytes(content)


def test_a_bomb_that_declares_its_size_is_refused_before_it_is_inflated(good, tmp_path):
    bomb = with_fields(good, "ids", central={24: ("<L", 1 << 31)}, local={22: ("<L", 1 << 31)})
    with pytest.raises(InvalidPredictions, match=r"expected arrays of at most 134217728 bytes together, found 2147\d+"):
        read_bytes(tmp_path, bomb)


def test_a_bomb_that_hides_its_size_is_never_inflated_beyond_what_it_declared(tmp_path, predictions):
    arrays = good_arrays(predictions)
    honest = npy(arrays["log_sum_exp"])
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in NAMES:
            data = honest + bytes(200 << 20) if name == "log_sum_exp" else npy(arrays[name])
            archive.writestr(zipfile.ZipInfo(f"{name}.npy"), data, zipfile.ZIP_DEFLATED)
    size = {24: ("<L", len(honest))}, {22: ("<L", len(honest))}
    bomb = with_fields(content.getvalue(), "log_sum_exp", central=size[0], local=size[1])
    del content, data
    tracemalloc.start()
    with pytest.raises(InvalidPredictions, match="found a damaged member"):
        read_bytes(tmp_path, bomb)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 8 << 20


def test_a_member_longer_than_it_declared_is_refused_although_its_checksum_fits(tmp_path, predictions, attack):
    honest = npy(predictions.log_sum_exp)
    with pytest.raises(InvalidPredictions, match="found .* declared"):
        attack({"log_sum_exp": honest + b"x"})
    content = (tmp_path / "attack.npz").read_bytes()
    size = ("<L", len(honest))
    forged = with_fields(content, "log_sum_exp", central={24: size}, local={22: size})
    with pytest.raises(InvalidPredictions, match="found a damaged member"):
        read_bytes(tmp_path, forged)


@pytest.mark.parametrize(
    ("central", "local", "message"),
    [
        ({8: ("<H", 1)}, {6: ("<H", 1)}, "without encryption or extra fields, found method 8, flags 0x1"),
        ({8: ("<H", 8)}, {6: ("<H", 8)}, "flags 0x8"),
        ({24: ("<L", 0xFFFFFFFF)}, {22: ("<L", 0xFFFFFFFF)}, "expected arrays of at most"),
        ({30: ("<H", 20)}, {28: ("<H", 20)}, "20 bytes of extra fields"),
        ({32: ("<H", 5)}, {}, "stored or deflated"),
        ({34: ("<H", 1)}, {}, "stored or deflated"),
        ({42: ("<L", 7)}, {}, "to begin at byte .*, found 7"),
        ({42: ("<L", 0)}, {}, "to begin at byte .*, found 0"),
        ({}, {22: ("<L", 5)}, "to be described alike twice"),
        ({}, {26: ("<H", 4)}, "to be described alike twice"),
        ({}, {28: ("<H", 4)}, "to be described alike twice"),
        ({}, {30: ("<B", 65)}, "to be described alike twice"),
        ({20: ("<L", 0xFFFFFFF0)}, {18: ("<L", 0xFFFFFFF0)}, "to begin at byte"),
        ({16: ("<L", 1)}, {14: ("<L", 1)}, "found a damaged member"),
        ({28: ("<H", 0xFFFF)}, {26: ("<H", 0xFFFF)}, "expected the member"),
    ],
)
def test_zip_tricks_in_a_members_description_are_refused(good, tmp_path, central, local, message):
    with pytest.raises(InvalidPredictions, match=message):
        read_bytes(tmp_path, with_fields(good, "log_probabilities", central=central, local=local))


def test_data_before_between_and_after_is_refused(good, tmp_path):
    directory = good.find(b"PK\1\2")
    moved = bytearray(good[:directory] + b"gap" + good[directory:])
    struct.pack_into("<L", moved, len(moved) - 6, directory + 3)
    with pytest.raises(InvalidPredictions, match="bytes before it or a second list"):
        read_bytes(tmp_path, b"#!/bin/sh\n" + good)
    with pytest.raises(InvalidPredictions, match="found bytes between them"):
        read_bytes(tmp_path, bytes(moved))
    with pytest.raises(InvalidPredictions, match="found no end of a ZIP archive at its end"):
        read_bytes(tmp_path, good + b"more")
    with pytest.raises(InvalidPredictions, match="found no end|expected the 7 members"):
        read_bytes(tmp_path, good[:-2] + b"\4\0" + b"text")


def test_bytes_after_the_list_of_members_are_refused(good, tmp_path):
    directory = good.find(b"PK\1\2")
    longer = bytearray(good[:-22] + b"hidden" + good[-22:])
    struct.pack_into("<L", longer, len(longer) - 10, len(good) - 22 - directory + 6)
    with pytest.raises(InvalidPredictions, match="expected nothing after the list of members, found 6 bytes"):
        read_bytes(tmp_path, bytes(longer))


def test_a_comment_and_a_zip64_list_are_refused(good, tmp_path):
    commented = good[:-2] + struct.pack("<H", 22) + good[-22:-2] + b"\0\0"
    with pytest.raises(InvalidPredictions, match="a second list of members"):
        read_bytes(tmp_path, commented)
    zip64 = good[:-22] + b"PK\6\6" + bytes(52) + b"PK\6\7" + bytes(16) + good[-22:]
    with pytest.raises(InvalidPredictions, match=r"a second list of members \(ZIP64\)"):
        read_bytes(tmp_path, zip64)


def test_what_numpy_savez_writes_with_its_zip64_fields_is_refused(predictions, tmp_path):
    np.savez_compressed(tmp_path / "p.npz", **good_arrays(predictions))
    with pytest.raises(InvalidPredictions, match="expected"):
        read_predictions(tmp_path / "p.npz")


def test_hidden_bytes_after_a_members_data_are_refused(good, tmp_path):
    """The compressed size is larger than the deflated stream that is in it."""
    start = good.rfind(b"log_sum_exp.npy", 0, good.find(b"PK\1\2")) + len("log_sum_exp.npy")
    directory = good.find(b"PK\1\2")
    longer = bytearray(good[:directory] + b"hidden" + good[directory:])
    struct.pack_into("<L", longer, len(longer) - 6, directory + 6)
    compressed = ("<L", directory - start + 6)
    padded = with_fields(bytes(longer), "log_sum_exp", central={20: compressed}, local={18: compressed})
    with pytest.raises(InvalidPredictions, match="expected nothing after the data of log_sum_exp"):
        read_bytes(tmp_path, padded)


@pytest.mark.parametrize("length", [0, 1, 21, 22, 100, -1, -22, -200])
def test_a_torn_file_is_refused(good, tmp_path, length):
    with pytest.raises(InvalidPredictions, match="expected"):
        read_bytes(tmp_path, good[:length])


def test_every_flipped_byte_is_refused_or_harmless(good, tmp_path, predictions):
    """Versions, attributes and the like carry no data; any other byte that changes is noticed."""
    harmless = 0
    for position in range(0, len(good), 3):
        flipped = bytearray(good)
        flipped[position] ^= 0xFF
        try:
            found = read_bytes(tmp_path, bytes(flipped))
        except InvalidPredictions:
            continue
        assert same(found, predictions)
        harmless += 1
    assert harmless < len(good) // 3 / 10


def test_deflated_data_that_is_damaged_is_refused(good, tmp_path):
    start = good.find(b"ids.npy") + len("ids.npy")
    with pytest.raises(InvalidPredictions, match="expected ids to be deflated data, found damage"):
        read_bytes(tmp_path, good[:start] + b"\xff\xff\xff\xff" + good[start + 4 :])
