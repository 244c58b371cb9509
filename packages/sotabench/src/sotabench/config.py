"""Which site `sb` talks to, and as whom.

The file is the one of the `sotabenchapi` client: `~/.sotabench/sotabenchapi.ini`, a section a profile, with `url` and
`token`. `SOTABENCH_URL` and `SOTABENCH_TOKEN` come before it.
"""

import os
import tempfile
from collections.abc import Mapping
from configparser import ConfigParser, Error
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from sotabench.errors import Misconfigured

DEFAULT_PATH = "~/.sotabench/sotabenchapi.ini"
_API = "/api/v0"


@dataclass(frozen=True)
class Config:
    """A profile as it was found; `url` is the site's own address, empty when none is configured."""

    path: Path
    profile: str
    url: str
    token: str


def load_config(path: str | Path, profile: str, environ: Mapping[str, str]) -> Config:
    """The profile in the file, or in the environment. Raises Misconfigured when a file cannot be read."""
    path = Path(path).expanduser()
    parser = _read(path)
    section = parser[profile] if parser.has_section(profile) else {}
    url = environ.get("SOTABENCH_URL") or section.get("url", "")
    token = environ.get("SOTABENCH_TOKEN") or section.get("token", "")
    return Config(path, profile, site_address(url) if url else "", token.strip())


def site_address(url: str) -> str:
    """The site's address of its API's, which is what the older client is configured with. Raises Misconfigured."""
    plain = url.strip().rstrip("/").removesuffix(_API)
    parts = urlsplit(plain)
    if parts.scheme not in {"http", "https"} or not parts.netloc:
        raise Misconfigured(f"expected the site's address as https://..., found {url!r}; set SOTABENCH_URL")
    return plain


def save_token(config: Config, *, url: str, token: str) -> None:
    """Write address and token to the profile, in a file that nobody else can read. Raises Misconfigured."""
    parser = _read(config.path)
    if not parser.has_section(config.profile):
        parser.add_section(config.profile)
    parser[config.profile].update({"url": url + _API, "token": token})
    try:
        config.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        # Files made by tempfile are for their owner alone from the start.
        with tempfile.NamedTemporaryFile("w", dir=config.path.parent, delete=False, encoding="utf-8") as file:
            parser.write(file)
        os.replace(file.name, config.path)  # noqa: PTH105 - the same call as Path's
    except OSError as error:
        raise Misconfigured(f"expected to write {config.path}, found: {error.strerror}") from error


def _read(path: Path) -> ConfigParser:
    parser = ConfigParser(interpolation=None)
    try:
        if path.exists():
            parser.read_string(path.read_text(encoding="utf-8"), source=str(path))
    except (Error, OSError, UnicodeDecodeError) as error:
        reason = " ".join(str(error).split())
        raise Misconfigured(f"expected {path} to be a configuration file, found: {reason}") from error
    return parser
