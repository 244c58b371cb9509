"""The machine's own package index, for uv inside the sandbox: uv reads no pip configuration, so it is handed over.

What the operator's pip and uv are told (addresses, folders of wheels, constraints) becomes uv's variables and mounts.
Secrets in addresses reach only stages in which nothing of a repository runs.
"""

import ast
import os
import re
import subprocess
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from sotabench.runner.egress import Rules, index_rules
from sotabench.runner.sandbox import Mount

_SEPARATORS = {"UV_FIND_LINKS": ","}
_OF_PIP = {
    "index-url": "UV_DEFAULT_INDEX",
    "extra-index-url": "UV_INDEX",
    "find-links": "UV_FIND_LINKS",
    "constraint": "UV_CONSTRAINT",
    "trusted-host": "UV_INSECURE_HOST",
}
_OF_UV = (*_OF_PIP.values(), "UV_INDEX_URL", "UV_EXTRA_INDEX_URL", "UV_INDEX_STRATEGY", "UV_EXCLUDE_NEWER")
_INDEXES = ("UV_DEFAULT_INDEX", "UV_INDEX", "UV_INDEX_URL", "UV_EXTRA_INDEX_URL")
_FOLDERS_IN = (*_INDEXES, "UV_FIND_LINKS", "UV_CONSTRAINT")
_NO_INDEX = "no-index"  # an option that uv has no variable for
NOWHERE = "file:///no/index"
_RANK = {"global": 0, "install": 1, ":env:": 2}


@dataclass(frozen=True)
class PackageIndex:
    """Variables for uv, the folders of this machine that they name, and the hosts that packages come from."""

    variables: Mapping[str, str]
    mounts: tuple[Mount, ...]
    rules: Rules

    def without_secrets(self) -> "PackageIndex":
        """For stages in which a repository's own code runs."""
        return replace(
            self, variables={name: re.sub(r"(?<=://)[^/@\s]*@", "", value) for name, value in self.variables.items()}
        )


def find_package_index(python: Path, environment: Mapping[str, str], home: Path) -> PackageIndex:
    """As the pip beside `python` and the uv of this user are configured; what uv is told counts more.

    Raises Misconfigured for a file of theirs that cannot be read.
    """
    rules = index_rules(environment, home=home, prefix=python.parent.parent)
    variables = _from_pip(python, environment)
    if "UV_INDEX" in variables:
        variables["UV_INDEX_STRATEGY"] = "unsafe-best-match"  # pip takes all indexes for one
    for path in _uv_files(environment, home):
        variables |= _from_uv(path)
    variables |= {name: environment[name] for name in _OF_UV if environment.get(name)}
    if variables.pop(_NO_INDEX, "").lower() in {"1", "true", "yes", "on"}:
        for name in _INDEXES:
            variables.pop(name, None)
        variables["UV_DEFAULT_INDEX"] = NOWHERE
    return PackageIndex(variables, tuple(_mounts(variables)), rules)


def _from_pip(python: Path, environment: Mapping[str, str]) -> dict[str, str]:
    done = subprocess.run(  # noqa: S603 - the operator's own
        [python, "-m", "pip", "--disable-pip-version-check", "config", "list"],
        env=dict(environment), capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    found: dict[str, tuple[int, str]] = {}
    for line in done.stdout.splitlines() if done.returncode == 0 else []:
        key, _, value = line.partition("=")
        section, _, option = key.rpartition(".")
        name = _NO_INDEX if option == "no-index" else _OF_PIP.get(option)
        rank = _RANK.get(section, -1)
        if name and rank >= found.get(name, (0, ""))[0]:
            found[name] = rank, _SEPARATORS.get(name, " ").join(str(ast.literal_eval(value)).split())
    return {name: value for name, (_, value) in found.items()}


def _uv_files(environment: Mapping[str, str], home: Path) -> list[Path]:
    if own := environment.get("UV_CONFIG_FILE"):
        return [Path(own)]
    return [Path("/etc/uv/uv.toml"), Path(environment.get("XDG_CONFIG_HOME") or home / ".config") / "uv/uv.toml"]


def _from_uv(path: Path) -> dict[str, str]:
    if not path.is_file():
        return {}
    whole = tomllib.loads(path.read_text(encoding="utf-8"))
    found: dict[str, list[str]] = {}
    for table in (whole, whole.get("pip", {})):
        for option, name in _OF_PIP.items():
            found.setdefault(name, []).extend(_listed(table.get(option)))
        for index in table.get("index", []):
            name = "UV_DEFAULT_INDEX" if index.get("default") else "UV_INDEX"
            found.setdefault(name, []).append(str(index.get("url", "")))
    return {name: _SEPARATORS.get(name, " ").join(values) for name, values in found.items() if values}


def _listed(value: Any) -> list[str]:
    if value is None:
        return []
    return [str(one) for one in (value if isinstance(value, list) else [value])]


def _mounts(variables: Mapping[str, str]) -> Iterator[Mount]:
    seen = set()
    for name in _FOLDERS_IN:
        for word in variables.get(name, "").replace(",", " ").split():
            path = _path(word)
            if path is None or not path.exists() or path.is_relative_to("/usr"):
                continue
            if path.name == "simple" and len(path.parts) > 2:  # its pages lead to files beside it
                path = path.parent
            if path not in seen and path != Path(path.anchor):
                seen.add(path)
                yield Mount(path, str(path))


def _path(word: str) -> Path | None:
    """The folder or file of this machine that a value names, if it does."""
    parts = urlsplit(word)
    if parts.scheme == "file":
        return Path(unquote(parts.path))
    return Path(word) if word.startswith(os.sep) else None
