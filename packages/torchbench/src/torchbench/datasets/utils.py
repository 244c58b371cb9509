"""Download helpers under the names that existing `sotabench.py` files import; torchvision does the work.

Files on Google Drive need the `gdown` package, which torchvision asks for by name when it is missing.
"""

from torchvision.datasets.utils import (
    calculate_md5,
    check_integrity,
    download_and_extract_archive,
    download_file_from_google_drive,
    download_url,
    extract_archive,
)

__all__ = [
    "calculate_md5",
    "check_integrity",
    "download_and_extract_archive",
    "download_file_from_google_drive",
    "download_url",
    "extract_archive",
]
