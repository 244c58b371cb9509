"""What `urllib.request.urlretrieve` fetched while there was a network is there where there is none.

Files of 2019 ask for their weights each time they run. Which address a file came from is noted among the caches; an
evaluation finds the file where it was left, as long as it is the one that was last fetched to that place.
"""

import functools
import json
import os
import sys
from email.message import Message
from types import ModuleType
from typing import Any

NOTES = "sotabench-retrieved.json"


def keep(module: ModuleType) -> None:
    """Let `urllib.request`, that is the module, note what it retrieves and find it again."""
    fetch, unreachable = module.urlretrieve, module.URLError

    @functools.wraps(fetch)
    def urlretrieve(url: Any, filename: Any = None, *arguments: Any, **named: Any) -> Any:
        try:
            answer = fetch(url, filename, *arguments, **named)
        except unreachable as error:
            # An answer that was a refusal, or that broke off, is an error of a kind below this one.
            if type(error) is not unreachable or filename is None or not _is_the_one(url, filename):
                raise
            sys.stderr.write(f"{filename}: there is no network here; it was fetched from {url} before\n")
            return filename, Message()
        if filename is not None:
            _note(url, filename)
        return answer

    module.urlretrieve = urlretrieve  # type: ignore[attr-defined]  # any module of that name


def _place() -> str:
    return os.path.join(os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"), NOTES)


def _read() -> "dict[str, Any]":
    try:
        with open(_place(), encoding="utf-8") as file:
            notes = json.load(file)
    except (OSError, ValueError):
        return {}
    return notes if isinstance(notes, dict) else {}


def _is_the_one(url: Any, filename: Any) -> bool:
    """Whether it was fetched from there, was not overwritten from elsewhere since, and has the size that it had."""
    path = os.path.abspath(os.fsdecode(filename))
    return os.path.isfile(path) and _read().get(path) == [str(url), os.path.getsize(path)]


def _note(url: Any, filename: Any) -> None:
    path = os.path.abspath(os.fsdecode(filename))
    making = f"{_place()}.{os.getpid()}"
    try:
        notes = {**_read(), path: [str(url), os.path.getsize(path)]}
        os.makedirs(os.path.dirname(making), exist_ok=True)
        with open(making, "w", encoding="utf-8") as file:
            json.dump(notes, file, sort_keys=True)
        os.replace(making, _place())
    except OSError:
        return  # then it is only not found again
