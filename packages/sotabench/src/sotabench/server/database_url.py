"""Which database: PostgreSQL by its address, else SQLite in the data folder."""

from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from sotabench.errors import Misconfigured

# Writers queue instead of failing when they began by reading (IMMEDIATE); readers never wait for a writer (WAL).
_SQLITE = {
    "transaction_mode": "IMMEDIATE",
    "timeout": 20,
    "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; PRAGMA cache_size=-65536;",
}


def database_settings(url: str, folder: Path) -> dict[str, Any]:
    """Django's settings for the database at `url`; with an empty one, for `database.sqlite3` in `folder`.

    Raises Misconfigured when the address is not one of PostgreSQL.
    """
    if not url:
        return {"ENGINE": "django.db.backends.sqlite3", "NAME": folder / "database.sqlite3", "OPTIONS": _SQLITE}
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:  # whose words hold a part of the address, and so perhaps of the password
        raise Misconfigured(
            "expected DATABASE_URL to be postgresql://user:password@host:port/name, found another; "
            "write / : @ [ ] in a password as %2F %3A %40 %5B %5D"
        ) from None
    if parts.scheme not in {"postgres", "postgresql"} or not parts.path.strip("/"):
        raise Misconfigured(
            f"expected DATABASE_URL to be postgresql://user:password@host:port/name, found one that begins with "
            f"{parts.scheme!r}; unset it for SQLite"
        )
    return {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": unquote(parts.path.lstrip("/")),
        "USER": unquote(parts.username or ""),
        "PASSWORD": unquote(parts.password or ""),
        "HOST": unquote(parts.hostname or ""),
        "PORT": str(port or ""),
        "OPTIONS": dict(parse_qsl(parts.query)),
        "CONN_MAX_AGE": 60,
        "CONN_HEALTH_CHECKS": True,
    }
