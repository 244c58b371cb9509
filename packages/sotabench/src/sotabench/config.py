"""Which site `sb` talks to, and as whom.

The file is the one of the `sotabenchapi` client: `~/.sotabench/sotabenchapi.ini`, a section a profile, with `url` and
`token`. `SOTABENCH_URL` and `SOTABENCH_TOKEN` come before it; a token that stands beside one site's address is never
sent to another.
"""

import tempfile
from collections.abc import Mapping
from configparser import ConfigParser, Error
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import SplitResult, urlsplit

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
    try:
        path = Path(path).expanduser()
    except RuntimeError as error:
        raise Misconfigured(f"expected a configuration file, found {str(path)!r}: there is no such user") from error
    parser = _read(path)
    section = parser[profile] if parser.has_section(profile) else {}
    kept, asked = _address(section.get("url", "")), _address(environ.get("SOTABENCH_URL", ""))
    url = asked or kept
    # A token is one site's; without an address beside it, the older client wrote it.
    its_token = section.get("token", "") if url == kept or not kept else ""
    token = (environ.get("SOTABENCH_TOKEN") or its_token).strip()
    if not (token.isascii() and token.isprintable()) or " " in token:
        raise Misconfigured("expected a token of letters, digits and signs, found other characters in it; `sb login`")
    return Config(path, profile, url, token)


def site_address(url: str) -> str:
    """The site's address of its API's, which is what the older client is configured with. Raises Misconfigured."""
    plain = url.strip().rstrip("/").removesuffix(_API)
    try:
        parts = urlsplit(plain)
        good = parts.scheme in {"http", "https"} and _has_place(parts) and plain.isprintable() and " " not in plain
    except ValueError:
        good = False
    if not good:
        raise Misconfigured(f"expected the site's address as https://..., found {url!r}; set SOTABENCH_URL")
    return plain


def _has_place(parts: SplitResult) -> bool:
    """Whether it names a host, and a port that there can be. Raises ValueError for another port."""
    return bool(parts.hostname) and parts.port != 0


def _address(url: str) -> str:
    return site_address(url) if url else ""


def save_token(config: Config, *, url: str, token: str) -> None:
    """Write address and token to the profile, in a file that nobody else can read. Raises Misconfigured."""
    parser = _read(config.path)
    if not parser.has_section(config.profile):
        parser.add_section(config.profile)
    parser[config.profile].update({"url": url + _API, "token": token})
    target = config.path.resolve()  # of a link, what it leads to
    try:
        target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        # Files made by tempfile are for their owner alone from the start.
        with tempfile.NamedTemporaryFile("w", dir=target.parent, delete=False, encoding="utf-8") as file:
            try:
                parser.write(file)
                file.close()
                Path(file.name).replace(target)
            finally:
                Path(file.name).unlink(missing_ok=True)
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
