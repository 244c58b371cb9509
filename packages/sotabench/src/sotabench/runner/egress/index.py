"""Where packages come from, as this machine's own pip and uv are configured."""

import configparser
import importlib
import os
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from sotabench.errors import Misconfigured
from sotabench.runner.egress.rules import Rules

_PORTS = {"https": 443, "http": 80}
_VARIABLES = ("PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL", "PIP_FIND_LINKS", "UV_INDEX", "UV_DEFAULT_INDEX", "UV_INDEX_URL",
              "UV_EXTRA_INDEX_URL", "UV_FIND_LINKS")  # fmt: skip
_PIP_OPTIONS = ("index-url", "extra-index-url", "find-links")
_REPLACING = {"PIP_INDEX_URL", "UV_DEFAULT_INDEX", "UV_INDEX_URL", "index-url"}


def index_rules(environment: Mapping[str, str], *, home: Path, prefix: Path) -> Rules:
    """The hosts of the package index, wherever they are: what the operator's pip or uv asks, a stage may ask.

    Where nothing replaces the index that is the public one, and even its name may lead to a laboratory's own mirror.
    Raises Misconfigured for a file that cannot be read.
    """
    found = list(_from_environment(environment))
    for path in _pip_files(environment, home, prefix):
        found += _from_pip(path)
    for path in _uv_files(environment, home):
        found += _from_uv(path)
    places = [place for _, value in found for place in _places(value)]
    is_replaced = any(option in _REPLACING for option, _ in found)
    return Rules.of(internal=places if is_replaced else [*places, *usual_places()])


def usual_places() -> tuple[str, ...]:
    """host:port of the index and of its files where nothing else is configured: pip's own word; none without pip."""
    try:
        index = importlib.import_module("pip._internal.models.index").PyPI
    except ImportError:
        return ()
    return f"{index.netloc}:443", f"{index.file_storage_domain}:443"


def _places(text: str) -> Iterator[str]:
    """host:port of each address in an option's value; folders are none."""
    for word in text.split():
        name, equals, address = word.partition("=")
        url = urlsplit(address if equals and "/" not in name else word)
        if url.scheme in _PORTS and url.hostname:
            host = f"[{url.hostname}]" if ":" in url.hostname else url.hostname
            yield f"{host}:{url.port or _PORTS[url.scheme]}"


def _from_environment(environment: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    for name in _VARIABLES:
        if environment.get(name):
            yield name, environment[name]


def _pip_files(environment: Mapping[str, str], home: Path, prefix: Path) -> list[Path]:
    own = environment.get("PIP_CONFIG_FILE")
    if own == os.devnull:
        return []
    configured = Path(environment.get("XDG_CONFIG_HOME") or home / ".config")
    places = [Path("/etc/pip.conf"), Path("/etc/xdg/pip/pip.conf"), home / ".pip/pip.conf", configured / "pip/pip.conf"]
    return [*places, prefix / "pip.conf", *([Path(own)] if own else [])]


def _uv_files(environment: Mapping[str, str], home: Path) -> list[Path]:
    own = environment.get("UV_CONFIG_FILE")
    configured = Path(environment.get("XDG_CONFIG_HOME") or home / ".config")
    return [Path(own)] if own else [Path("/etc/uv/uv.toml"), configured / "uv/uv.toml"]


def _from_pip(path: Path) -> Iterator[tuple[str, str]]:
    parser = configparser.RawConfigParser()
    try:
        parser.read_string(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        return
    except (configparser.Error, OSError, UnicodeError) as error:
        raise Misconfigured(f"expected pip's configuration in {path}, found {type(error).__name__}") from error
    for section in parser.sections():
        for option, value in parser.items(section):
            name = option.replace("_", "-")
            if section in {"global", "install", "download"} and name in _PIP_OPTIONS:
                yield name, value


def _from_uv(path: Path) -> Iterator[tuple[str, str]]:
    try:
        whole = tomllib.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        return
    except (tomllib.TOMLDecodeError, OSError, UnicodeError) as error:
        raise Misconfigured(f"expected uv's configuration in {path}, found {type(error).__name__}") from error
    for table in (whole, whole.get("pip", {})):
        for option in _PIP_OPTIONS:
            for value in _listed(table.get(option)):
                yield option, str(value)
        for index in _listed(table.get("index")):
            yield "index-url" if index.get("default") else "index", str(index.get("url", ""))


def _listed(value: Any) -> list[Any]:
    if value is None:
        return []
    return value if isinstance(value, list) else [value]
