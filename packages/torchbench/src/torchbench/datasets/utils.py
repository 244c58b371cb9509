"""Download helpers under the names that existing `sotabench.py` files import; torchvision does most of the work.

A file on Google Drive needs no other package, as in 2019. Google's own answers are not among our tests.
"""

import os
import re
import urllib.error
import urllib.parse
import urllib.request
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torchvision
from torchvision.datasets.utils import (
    calculate_md5,
    check_integrity,
    download_and_extract_archive,
    download_url,
    extract_archive,
)

from torchbench.errors import TorchbenchError
from torchbench.report import say

__all__ = [
    "calculate_md5",
    "check_integrity",
    "download_and_extract_archive",
    "download_file_from_google_drive",
    "download_url",
    "extract_archive",
]

DRIVE = "https://drive.usercontent.google.com/download"
_BLOCK = 1 << 20


def download_file_from_google_drive(
    file_id: str, root: str | os.PathLike[str], filename: str | None = None, md5: str | None = None
) -> None:
    """Fetch a public file by its id into the folder `root`, unless it is there with that MD5, if one is given.

    Done by the package `gdown` where that is installed. Raises TorchbenchError, and leaves nothing, when Google gives
    something else.
    """
    target = Path(root).expanduser() / (filename or file_id)
    if check_integrity(str(target), md5):
        say(f"{target} is there already")
    elif _has_gdown():
        torchvision.datasets.utils.download_file_from_google_drive(file_id, root, filename, md5)
    else:
        say(f"Fetching file {file_id} from Google Drive to {target}")
        _fetch(file_id, target, md5)


def _has_gdown() -> bool:
    try:
        return find_spec("gdown") is not None
    except ValueError:  # it was put among the modules by hand
        return True


def _fetch(file_id: str, target: Path, md5: str | None) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    making = target.with_name(f"{target.name}.{os.getpid()}.part")
    query = urllib.parse.urlencode({"id": file_id, "export": "download", "confirm": "t"})
    try:
        with urllib.request.urlopen(f"{DRIVE}?{query}") as answer, making.open("wb") as file:  # noqa: S310 - our own address
            _require_file(answer, file_id)
            while block := answer.read(_BLOCK):
                file.write(block)
        _require_whole(making, file_id, answer.headers["Content-Length"], md5)
        making.replace(target)
    except urllib.error.URLError as error:
        raise _not_given(file_id, str(error)) from error
    finally:
        making.unlink(missing_ok=True)


def _require_file(answer: Any, file_id: str) -> None:
    """Raise TorchbenchError for a page that says why the file is not given, or asks something."""
    if answer.headers.get_content_type() == "text/html":
        title = re.search(r"<title>(.*?)</title>", answer.read(_BLOCK).decode(errors="replace"), re.DOTALL)
        raise _not_given(file_id, f"a page: {title[1].strip() if title else 'without a title'}")


def _require_whole(path: Path, file_id: str, length: str | None, md5: str | None) -> None:
    found = path.stat().st_size
    if length is not None and found != int(length):
        raise TorchbenchError(f"expected {int(length):,} bytes of file {file_id} from Google Drive, found {found:,}")
    if md5 is not None and (digest := calculate_md5(str(path))) != md5:
        raise TorchbenchError(f"expected MD5 {md5} of file {file_id} on Google Drive, found {digest}")


def _not_given(file_id: str, found: str) -> TorchbenchError:
    return TorchbenchError(
        f"expected file {file_id} from Google Drive, found {found}; is it public? `pip install gdown` may know more"
    )
