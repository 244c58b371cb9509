"""A runner's settings. This file alone reads the environment on the runner's side.

| variable | meaning | default |
|---|---|---|
| `SOTABENCH_URL` | the site's address | `http://127.0.0.1:8000` |
| `SOTABENCH_RUNNER_TOKEN` | the token that `sotabench runners add NAME` printed on the site | |
| `SOTABENCH_RUNNER_FOLDER` | folder of builds, environments and fetched weights | `./sotabench-runner` |
| `SOTABENCH_RUNNER_SLOTS` | builds at the same time | `1` |
| `SOTABENCH_RUNNER_UID` | user and group id of slot 0, the next of slot 1...; used when the runner is root | `64100` |
| `SOTABENCH_RUNNER_DATA` | folder with the site's copies of data: its data folder, or a copy | `SOTABENCH_DATA` |
| `SOTABENCH_BASE_PYTHON` | interpreter that has torch, torchvision and torchbench | this one |
| `SOTABENCH_RUNNER_MEMORY` | gigabytes that one build may use | `8` |
| `SOTABENCH_RUNNER_DISK` | gigabytes that one build may write | `20` |
| `SOTABENCH_RUNNER_PROCESSES` | processes and threads that one build may have | `512` |
| `SOTABENCH_RUNNER_HOURS` | hours that an evaluation may take | `12` |
| `SOTABENCH_RUNNER_DEVICES` | device nodes of accelerators, with commas between, as `/dev/nvidia0` | |
| `SOTABENCH_GIT_HOSTS` | hosts of submodules and large files, beside a repository's own | |
| `SOTABENCH_KNOWN_HOSTS` | file of ssh host keys that are believed; without one, the first key seen is | |
| `SOTABENCH_SETUP_HOSTS` | hosts that a setup script may reach, beside the package index | |
| `SOTABENCH_WEIGHTS_HOSTS` | hosts that weights are fetched from, instead of the default ones | |
| `SOTABENCH_INTERNAL_HOSTS` | `host:port` of the operator's own network that builds may reach all the same | |
| `SOTABENCH_LOG` | `json` or `text` | `text`; beside a site, as the site's |
| `SOTABENCH_CERTIFICATES` | file of the certificate authorities that builds believe | `SSL_CERT_FILE`, the system's |
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from sotabench.errors import Misconfigured

GIGABYTE = 10**9
_LONG = 40
_MOST_ID = 2_000_000_000
_SYSTEMS_CERTIFICATES = Path("/etc/ssl/certs/ca-certificates.crt")


@dataclass(frozen=True)
class RunnerSettings:
    """One reading of the environment."""

    url: str
    token: str
    folder: Path
    slots: int
    first_uid: int
    data: Path
    base_python: Path | None
    memory: int
    disk: int
    processes: int
    seconds: float
    devices: tuple[Path, ...]
    git_hosts: tuple[str, ...]
    known_hosts: Path | None
    setup_hosts: tuple[str, ...]
    weights_hosts: tuple[str, ...]
    internal_hosts: tuple[str, ...]
    certificates: Path | None
    logs_json: bool = False

    @classmethod
    def from_environment(cls, environ: Mapping[str, str] = os.environ) -> "RunnerSettings":
        """Read the settings. Raises Misconfigured for a value that means nothing."""
        return cls(
            url=environ.get("SOTABENCH_URL") or "http://127.0.0.1:8000",
            token=_token(environ),
            folder=Path(environ.get("SOTABENCH_RUNNER_FOLDER") or "sotabench-runner").resolve(),
            slots=_number(environ, "SOTABENCH_RUNNER_SLOTS", 1, most=1_000),
            first_uid=_number(environ, "SOTABENCH_RUNNER_UID", 64_100, most=_MOST_ID),
            data=Path(environ.get("SOTABENCH_RUNNER_DATA") or environ.get("SOTABENCH_DATA") or ".").resolve(),
            base_python=_path(environ, "SOTABENCH_BASE_PYTHON"),
            memory=_number(environ, "SOTABENCH_RUNNER_MEMORY", 8, most=1_000_000) * GIGABYTE,
            disk=_number(environ, "SOTABENCH_RUNNER_DISK", 20, most=1_000_000) * GIGABYTE,
            processes=_number(environ, "SOTABENCH_RUNNER_PROCESSES", 512, most=4_000_000),
            seconds=_number(environ, "SOTABENCH_RUNNER_HOURS", 12, most=8_760) * 3600.0,
            devices=tuple(map(Path, _list(environ, "SOTABENCH_RUNNER_DEVICES"))),
            git_hosts=_list(environ, "SOTABENCH_GIT_HOSTS"),
            known_hosts=_file(environ, "SOTABENCH_KNOWN_HOSTS"),
            setup_hosts=_list(environ, "SOTABENCH_SETUP_HOSTS"),
            weights_hosts=_list(environ, "SOTABENCH_WEIGHTS_HOSTS"),
            internal_hosts=_list(environ, "SOTABENCH_INTERNAL_HOSTS"),
            certificates=_certificates(environ),
            logs_json=_logs_json(environ),
        )


def _number(environ: Mapping[str, str], name: str, default: int, *, most: int) -> int:
    text = environ.get(name, "")
    if text and not (text.isascii() and text.isdigit() and len(text) < _LONG and 0 < int(text) <= most):
        raise Misconfigured(f"expected {name} to be a whole number from 1 to {most}, found {text[:_LONG]!r}")
    return int(text) if text else default


def _token(environ: Mapping[str, str]) -> str:
    text = environ.get("SOTABENCH_RUNNER_TOKEN", "").strip()
    if not (text.isascii() and text.isprintable()) or " " in text:
        raise Misconfigured(
            "expected SOTABENCH_RUNNER_TOKEN to be the token that `sotabench runners add NAME` printed, "
            "found other characters in it"
        )
    return text


def _logs_json(environ: Mapping[str, str]) -> bool:
    text = environ.get("SOTABENCH_LOG") or "text"
    if text not in {"json", "text"}:
        raise Misconfigured(f"expected SOTABENCH_LOG to be json or text, found {text!r}")
    return text == "json"


def _path(environ: Mapping[str, str], name: str) -> Path | None:
    return Path(environ[name]).absolute() if environ.get(name) else None


def _file(environ: Mapping[str, str], name: str) -> Path | None:
    path = _path(environ, name)
    if path is not None and not (path.is_file() and os.access(path, os.R_OK)):
        raise Misconfigured(f"expected {name} to name a file that can be read, found none at {path}")
    return path


def _certificates(environ: Mapping[str, str]) -> Path | None:
    """The authorities that this machine believes: programs that bring their own would not believe a laboratory's."""
    named = _file(environ, "SOTABENCH_CERTIFICATES") or _path(environ, "SSL_CERT_FILE")
    return named or (_SYSTEMS_CERTIFICATES if _SYSTEMS_CERTIFICATES.is_file() else None)


def _list(environ: Mapping[str, str], name: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in environ.get(name, "").split(",") if part.strip())
