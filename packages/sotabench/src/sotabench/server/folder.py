"""The folder that holds everything of a site: made when it is missing, closed to other users of the machine."""

import fcntl
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic, sleep

from sotabench.errors import Misconfigured

SECRET_KEY = "secret-key"  # noqa: S105 - the file's name
NUMBERS_SECRET = "numbers-secret"  # noqa: S105 - the same
"""What the names under which builds see images are drawn from."""
KNOWN_HOSTS = "known_hosts"
"""The keys that git hosts showed the first time that they were asked by ssh; another one is refused."""

_PAUSE = 0.2


@contextmanager
def served_alone(folder: Path, *, patience: float) -> Iterator[None]:
    """Serve the folder as the only one: waits so many seconds for another that is still ending.

    Two at once would take each other's runner its token, count requests and sign-ins apart, and each bring the database
    to its own version. The lock ends with the processes that serve, however they end. Raises Misconfigured.
    """
    with (folder / "serve.lock").open("a") as file:
        last = monotonic() + patience
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                if monotonic() > last:
                    raise Misconfigured(
                        f"expected nobody else to serve {folder}, found another `sotabench serve` that does; "
                        "stop that one, or give --data another folder"
                    ) from error
                sleep(_PAUSE)
            else:
                break
        yield


def prepare_folder(folder: Path) -> None:
    """Make the folder (0700) and its secret key (0600) where they are missing. Raises OSError."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    (folder / "files").mkdir(mode=0o700, exist_ok=True)
    secret_of(folder, SECRET_KEY)


def secret_of(folder: Path, name: str) -> str:
    """The secret in the folder's file of this name (0600), which is made where it is missing.

    It is written under another name and then given its own, so that two starts at once end with one whole secret.
    Raises OSError.
    """
    file = folder / name
    if not file.exists():
        _make_secret(file)
    return file.read_text(encoding="ascii").strip()


def _make_secret(file: Path) -> None:
    temporary = file.with_name(f".{file.name}.{secrets.token_hex(8)}")
    try:
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="ascii") as opened:
            opened.write(secrets.token_urlsafe(48) + "\n")
        os.link(temporary, file)
    except FileExistsError:
        return  # somebody else was first: theirs counts
    finally:
        temporary.unlink(missing_ok=True)
