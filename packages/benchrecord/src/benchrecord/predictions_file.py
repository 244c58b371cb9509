"""The predictions file: an NPZ of seven arrays, written the same way every time and read as a stranger's file.

It is read by the rules of this page alone, which are narrower than ZIP's: the members below in this order, one after
the other from the first byte, stored or deflated, nothing before, between or after them, no comments, extra fields,
ZIP64 or encryption. Every size and every array's dtype and shape is checked before the array is inflated.
`numpy.load` opens the file too.
"""

import hashlib
import io
import re
import struct
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, cast

import numpy as np
from numpy.typing import NDArray

from benchrecord.errors import InvalidPredictions
from benchrecord.files import read_strangers_file, replace_file
from benchrecord.predictions import MAX_ID_LENGTH, TOP, Kind, Predictions, check_number_of_classes

FORMAT = 1
"""Version of the predictions file."""

MEMBERS = {
    "format": r"<i8",
    "kind": r"<U13",
    "number_of_classes": r"<i8",
    "ids": r"<U([1-9]\d{0,3})",
    "classes": r"<i2",
    "log_probabilities": r"<f4",
    "log_sum_exp": r"<f4",
}
"""The arrays in their order, each with its dtype; shapes are (), () and (), then (N,), (N, 5), (N, 5) and (N,)."""

_DATE = (1980, 1, 1, 0, 0, 0)  # the earliest that ZIP can say: equal predictions give equal bytes
_UNIX = 3
_END = struct.Struct("<4s4H2LH")
_CENTRAL = struct.Struct("<4s6H3L5H2L")
_LOCAL = struct.Struct("<4s5H3L2H")
_STORED, _DEFLATED = 0, 8
_NPY_MAGIC = b"\x93NUMPY\x01\x00"
_NPY_LARGEST_HEADER = 1024
_NPY_HEADER = re.compile(rb"\{'descr': '([^']*)', 'fortran_order': False, 'shape': \(([\d, ]*)\), \} *\n")


@dataclass(frozen=True)
class PredictionsFile:
    """What a record says about a file beside it, predictions or outputs: `size` in bytes, SHA-256 in hexadecimal."""

    name: str
    size: int
    sha256: str


def write_predictions(path: str | Path, predictions: Predictions) -> PredictionsFile:
    """Write the predictions to `path`, all at once; equal predictions give equal bytes. Raises OSError."""
    path = Path(path)
    content = _to_bytes(predictions)
    path.parent.mkdir(parents=True, exist_ok=True)
    replace_file(path, content)
    return PredictionsFile(path.name, len(content), hashlib.sha256(content).hexdigest())


def read_predictions(
    path: str | Path,
    *,
    sha256: str | None = None,
    max_size: int = 64 << 20,
    max_inflated: int = 128 << 20,
    max_images: int = 1_000_000,
) -> Predictions:
    """The predictions in a file whose writer is not trusted.

    `sha256` is the digest that the record promised, checked on the very bytes that are read. `max_size` and
    `max_inflated` bound the bytes of the file and of its arrays together. Raises InvalidPredictions, naming the rule.
    """
    content = read_strangers_file(Path(path), limit=max_size, error=InvalidPredictions)
    if sha256 is not None and (found := hashlib.sha256(content).hexdigest()) != sha256:
        raise InvalidPredictions(f"expected a predictions file of SHA-256 {sha256}, found {found}")
    members = _members(content)
    inflated = sum(member.size for member in members.values())
    if inflated > max_inflated:
        raise InvalidPredictions(f"expected arrays of at most {max_inflated} bytes together, found {inflated} declared")
    return _to_predictions(content, members, max_images)


def _to_bytes(predictions: Predictions) -> bytes:
    arrays = {
        "format": np.array(FORMAT),
        "kind": np.array(predictions.kind),
        "number_of_classes": np.array(predictions.number_of_classes),
        "ids": np.array(predictions.ids, dtype=np.str_),
        "classes": predictions.classes,
        "log_probabilities": predictions.log_probabilities,
        "log_sum_exp": predictions.log_sum_exp,
    }
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name, dtype in MEMBERS.items():
            array = arrays[name] if name == "ids" else arrays[name].astype(dtype)
            member = zipfile.ZipInfo(f"{name}.npy", _DATE)
            member.compress_type, member.create_system = zipfile.ZIP_DEFLATED, _UNIX
            archive.writestr(member, _npy(array), compresslevel=6)
    return file.getvalue()


def _npy(array: NDArray[Any]) -> bytes:
    file = io.BytesIO()
    little = array.astype(array.dtype.newbyteorder("<"))
    np.lib.format.write_array(file, np.ascontiguousarray(little).reshape(array.shape), (1, 0), allow_pickle=False)
    return file.getvalue()


class _Member(NamedTuple):
    """Where a member's compressed bytes lie in the file, and what its header promises about them."""

    name: str
    start: int
    compressed: int
    size: int
    crc: int
    method: int


def _members(content: bytes) -> dict[str, _Member]:
    """The members as the directory lists them, checked against the file from its first byte to its last."""
    directory, end = _directory(content)
    members: dict[str, _Member] = {}
    position = 0
    for name in MEMBERS:
        member, directory = _member(content, name, directory, position)
        position = member.start + member.compressed
        members[name] = member
    if directory != end:
        raise InvalidPredictions(f"expected nothing after the list of members, found {end - directory} bytes")
    if position != _directory(content)[0]:
        raise InvalidPredictions("expected the list of members right after the last one, found bytes between them")
    return members


def _directory(content: bytes) -> tuple[int, int]:
    """Where the list of members begins and ends."""
    end = len(content) - _END.size
    if end < 0 or content[end : end + 4] != b"PK\5\6":
        raise InvalidPredictions("expected an NPZ file without a comment, found no end of a ZIP archive at its end")
    _, disk, first_disk, here, count, size, start, comment = _END.unpack_from(content, end)
    if (disk, first_disk, here, count, comment) != (0, 0, len(MEMBERS), len(MEMBERS), 0):
        raise InvalidPredictions(f"expected the {len(MEMBERS)} members {', '.join(MEMBERS)}, found {count} members")
    if start + size != end:
        raise InvalidPredictions("expected a plain ZIP file, found bytes before it or a second list of members (ZIP64)")
    return start, end


def _member(content: bytes, name: str, directory: int, position: int) -> tuple[_Member, int]:
    """The member listed at `directory`, which must begin at `position`, and where the next one is listed."""
    file_name = f"{name}.npy".encode("ascii")
    central = _unpack(_CENTRAL, b"PK\1\2", content, directory)
    _, _, _, flags, method, time, date, crc, compressed, size, length, extra, comment, disk, _, _, start = central
    listed = directory + _CENTRAL.size
    found = content[listed : listed + min(length, len(file_name) + 40)]
    if found != file_name:
        raise InvalidPredictions(f"expected the member {file_name!r}, found {found!r}")
    if (flags, extra, comment, disk) != (0, 0, 0, 0) or method not in {_STORED, _DEFLATED}:
        raise InvalidPredictions(
            f"expected {file_name!r} stored or deflated, without encryption or extra fields, "
            f"found method {method}, flags {flags:#x}, {extra} bytes of extra fields"
        )
    if start != position:
        raise InvalidPredictions(f"expected {file_name!r} to begin at byte {position}, found {start}")
    local = _unpack(_LOCAL, b"PK\3\4", content, start)
    data = start + _LOCAL.size + length
    same = local[2:] == (0, method, time, date, crc, compressed, size, length, 0)
    if not same or content[start + _LOCAL.size : data] != file_name:
        raise InvalidPredictions(f"expected {file_name!r} to be described alike twice, found two descriptions")
    return _Member(name, data, compressed, size, crc, method), listed + length


def _unpack(layout: struct.Struct, signature: bytes, content: bytes, position: int) -> tuple[Any, ...]:
    if content[position : position + 4] != signature or position + layout.size > len(content):
        raise InvalidPredictions(f"expected a member's description at byte {position}, found something else")
    return layout.unpack_from(content, position)


def _to_predictions(content: bytes, members: dict[str, _Member], max_images: int) -> Predictions:
    def array(name: str, *shape: int) -> NDArray[Any]:
        return _array(content, members[name], shape)

    if (version := array("format").item()) != FORMAT:
        raise InvalidPredictions(f"expected version {FORMAT} of the predictions file, found {version}")
    number_of_classes = array("number_of_classes").item()
    check_number_of_classes(number_of_classes)
    images = _images(content, members["log_sum_exp"])
    if images > max_images:
        raise InvalidPredictions(f"expected at most {max_images} images, found {images}")
    return Predictions(
        ids=_texts(array("ids", images)),
        classes=array("classes", images, TOP),
        log_probabilities=array("log_probabilities", images, TOP),
        log_sum_exp=array("log_sum_exp", images),
        kind=cast("Kind", _texts(array("kind").reshape(1))[0]),
        number_of_classes=number_of_classes,
    )


def _images(content: bytes, member: _Member) -> int:
    """The number of images that the header of a one-dimensional member declares; nothing is believed yet."""
    _, _, shape = _header(member, _inflate(content, member, _NPY_LARGEST_HEADER))
    if len(shape) != 1:
        raise InvalidPredictions(f"expected {member.name} of shape (images,), found {shape}")
    return shape[0]


def _array(content: bytes, member: _Member, shape: tuple[int, ...]) -> NDArray[Any]:
    """The member's array, inflated only once its header promises this shape, the member's dtype and its size."""
    start, descr, found_shape = _header(member, _inflate(content, member, _NPY_LARGEST_HEADER))
    allowed = re.fullmatch(MEMBERS[member.name], descr)
    if not allowed or (member.name == "ids" and int(allowed[1]) > MAX_ID_LENGTH):
        raise InvalidPredictions(f"expected {member.name} with dtype {MEMBERS[member.name]}, found {descr[:40]!r}")
    if found_shape != shape:
        raise InvalidPredictions(f"expected {member.name} of shape {shape}, found {found_shape}")
    dtype = np.dtype(descr)
    size = start + dtype.itemsize * int(np.prod(shape, dtype=np.int64))
    if member.size != size:
        raise InvalidPredictions(f"expected {member.name} of {size} bytes, found {member.size} declared")
    data = _inflate(content, member, size + 1)
    if len(data) != size or zlib.crc32(data) != member.crc:
        raise InvalidPredictions(f"expected {member.name} of {size} bytes and its checksum, found a damaged member")
    return np.frombuffer(data, dtype, offset=start).reshape(shape).astype(dtype.newbyteorder("="), copy=False)


def _inflate(content: bytes, member: _Member, limit: int) -> bytes:
    """At most `limit` bytes of the member; a longer one is cut there."""
    data = memoryview(content)[member.start : member.start + member.compressed]
    if member.method == _STORED:
        return bytes(data[:limit])
    inflater = zlib.decompressobj(-zlib.MAX_WBITS)
    try:
        inflated = inflater.decompress(data, limit)
    except zlib.error as error:
        raise InvalidPredictions(f"expected {member.name} to be deflated data, found damage: {error}") from error
    if inflater.unused_data:
        raise InvalidPredictions(f"expected nothing after the data of {member.name}, found more bytes")
    return inflated


def _header(member: _Member, data: bytes) -> tuple[int, str, tuple[int, ...]]:
    """Where the array's values begin, its dtype and its shape, by the one spelling that numpy itself writes."""
    start = 10 + int.from_bytes(data[8:10], "little")
    found = _NPY_HEADER.fullmatch(data[10:start])
    if data[:8] != _NPY_MAGIC or len(data) < min(start, _NPY_LARGEST_HEADER) or not found:
        shown = data[10:start][:80]
        raise InvalidPredictions(f"expected {member.name} to begin as a plain array in npy format 1.0, found {shown!r}")
    shape = tuple(int(length) for length in found[2].decode("ascii").replace(",", " ").split())
    return start, found[1].decode("ascii", "replace"), shape


def _texts(array: NDArray[np.str_]) -> tuple[str, ...]:
    """The strings of an array; numbers in it that are no characters are refused."""
    points = array.reshape(-1).view(np.uint32)
    if ((points > 0x10FFFF) | ((points >= 0xD800) & (points <= 0xDFFF))).any():
        raise InvalidPredictions("expected text in Unicode, found values that are no characters")
    return tuple(array.tolist())
