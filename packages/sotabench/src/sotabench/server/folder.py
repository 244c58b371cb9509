"""The folder that holds everything of a site: made when it is missing, closed to other users of the machine."""

import os
import secrets
from pathlib import Path

SECRET_KEY = "secret-key"  # noqa: S105 - the file's name


def prepare_folder(folder: Path) -> None:
    """Make the folder (0700) and its secret key (0600) where they are missing.

    The key is written under another name and then given its own, so that two starts at once end with one whole key.
    Raises OSError.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    (folder / "files").mkdir(mode=0o700, exist_ok=True)
    key = folder / SECRET_KEY
    if key.exists():
        return
    temporary = folder / f".{SECRET_KEY}.{secrets.token_hex(8)}"
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="ascii") as file:
        file.write(secrets.token_urlsafe(48) + "\n")
    try:
        os.link(temporary, key)
    except FileExistsError:
        return  # somebody else was first: theirs counts
    finally:
        temporary.unlink()
