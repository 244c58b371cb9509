"""`sotabench`: what whoever runs a site types."""

import argparse
import importlib
import os
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sotabench import __version__
from sotabench.errors import Misconfigured, SotabenchError
from sotabench.server.folder import prepare_folder

_EXAMPLES = """
examples:
  sotabench serve                          a site at http://127.0.0.1:8000, everything in ./sotabench-data
  sotabench serve --host 0.0.0.0 --data /srv/sotabench
  sotabench backup /backups/today.tar.gz   while the site runs; `sotabench restore` reads it into an empty folder
  sotabench papers import evaluation-tables.json.gz README.md
  sotabench repositories add file:///srv/git/net.git
  sotabench datasets add imagenet --path /data/imagenet
  sotabench manage changepassword owner    any of Django's own commands

Settings are environment variables (DATABASE_URL, SOTABENCH_HOSTS, SOTABENCH_HTTPS, SOTABENCH_MEMBERS_ONLY, ...): the
table is at the top of sotabench/server/settings.py, and `sotabench settings` prints it. Users of a site type `sb`.
"""

_MOST_THREADS = 1_000
_LITTLE = 16 << 20  # bytes
_RUNNER_SETTINGS = "Settings are environment variables: the table is at the top of sotabench/runner/settings.py."


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; the exit code, 0 when all went well."""
    parsed = build_parser().parse_args(arguments)
    if parsed.command == "manage":
        _take_folder(parsed)
    os.environ["DJANGO_SETTINGS_MODULE"] = "sotabench.server.settings"
    try:
        code = _called(parsed)
        sys.stdout.flush()
    except BrokenPipeError:  # who reads the answer has gone, as `head` does
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] == "sotabench":
            raise
        side = parsed.side
        return _fail(f'the {side} is not installed: pip install "sotabench[{side}]" (found no {error.name})')
    except SotabenchError as error:
        return _fail(str(error))
    except OSError as error:
        return _fail(f"expected files and folders that can be used, found: {_said(error)}")
    except KeyboardInterrupt:
        return _fail("stopped")
    return code


def _called(parsed: argparse.Namespace) -> int:
    """Run the command of the runner's side, or the one of the server's in the site's folder."""
    if parsed.data:
        os.environ["SOTABENCH_DATA"] = str(parsed.data)
    if parsed.side == "runner":
        return int(importlib.import_module(f"sotabench.runner.commands.{parsed.command}").run(parsed))
    folder = Path(os.environ.get("SOTABENCH_DATA") or "sotabench-data")
    try:
        prepare_folder(folder)
    except OSError as error:
        raise Misconfigured(
            f"expected a folder for the site at {folder}, to be written to, found: {_said(error)}; "
            "--data or SOTABENCH_DATA names another"
        ) from error
    _set_up()
    return _run(parsed)


def _set_up() -> None:
    """Start Django. Raises Misconfigured when it cannot speak to the database that is configured."""
    django = importlib.import_module("django")
    improper = importlib.import_module("django.core.exceptions").ImproperlyConfigured
    try:
        django.setup()
    except improper as error:
        why = " ".join(str(error).split())
        hint = 'pip install "sotabench[postgres]" for PostgreSQL, or unset DATABASE_URL'
        raise Misconfigured(f"expected settings that Django can work with, found: {why}; {hint}") from error


def _run(parsed: argparse.Namespace) -> int:
    database = importlib.import_module("django.db")
    try:
        return int(importlib.import_module(f"sotabench.server.commands.{parsed.command}").run(parsed))
    except database.DatabaseError as error:
        if isinstance(error, (database.IntegrityError, database.DataError)):
            raise  # not the database's fault, but ours
        folder = Path(os.environ.get("SOTABENCH_DATA") or "sotabench-data")
        return _fail(database_trouble(str(error), folder, free=shutil.disk_usage(folder).free))


def database_trouble(said: str, folder: Path, *, free: int) -> str:
    """What a database that fails says, and what mends it where that is known; `free` are the bytes left on its disk."""
    why = " ".join(said.split())
    mend = ""
    if "not a database" in why or "malformed" in why:
        mend = "; it is damaged: `sotabench restore` reads a backup into a fresh folder"
    elif ("disk" in why or "o space" in why) and free < _LITTLE:
        mend = f"; the disk of {folder} has {free >> 10} KiB left: make room"
    return f"expected the database to answer, found: {why}{mend}"


def _said(error: OSError) -> str:
    return f"{error.strerror}: {error.filename}" if error.filename else error.strerror or str(error)


def _take_folder(parsed: argparse.Namespace) -> None:
    """Take `--data` from among the arguments of Django's command, which would read it as its own --database."""
    taker = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    taker.add_argument("--data", type=Path, default=parsed.data)
    taken, parsed.arguments = taker.parse_known_args(parsed.arguments)
    parsed.data = taken.data


class AnyOrder(argparse.ArgumentParser):
    """Takes options before, between and behind names, as people write them."""

    _is_inside = False

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        """Parse, names and options in any order where the names are not another command's."""
        takes_rest = any(one.nargs in {argparse.PARSER, argparse.REMAINDER} for one in self._get_positional_actions())
        if takes_rest or self._is_inside:
            return super().parse_known_args(args, namespace)
        self._is_inside = True
        try:
            return self.parse_known_intermixed_args(args, namespace)
        finally:
            self._is_inside = False


def build_parser() -> argparse.ArgumentParser:
    """All commands and their options."""
    parser = AnyOrder(
        prog="sotabench",
        description="Run a site that shows what code reaches beside what its paper reports.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"sotabench {__version__}")
    _add_folder(parser, default=None)
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    _add_serving(commands)
    backup = _add(commands, "backup", "write database, files and secret key to one archive; the site may run meanwhile")
    backup.add_argument("file", type=Path, help="where to, for example backup.tar.gz")
    restore = _add(commands, "restore", "read an archive of `backup` into an empty site")
    restore.add_argument("file", type=Path, help="the archive")
    papers = _add(commands, "papers", "bring in published results")
    papers.add_argument("action", choices=["import"], help="bring in files: good rows go in, bad ones are named")
    papers.add_argument(
        "files",
        nargs="*",
        type=Path,
        metavar="FILE",
        help="our CSV tables, evaluation-tables.json[.gz], model cards, YAML with model-index; none: the shipped ones",
    )
    _add_data_commands(commands)
    _add(commands, "sweep", "remove what nobody came back for, such as abandoned uploads; `serve` does so every hour")
    runners = _add(commands, "runners", "the machines that build: give one a token, list, drain, resume or revoke them")
    runners.add_argument("action", choices=["add", "list", "drain", "resume", "revoke"], help="what to do")
    runners.add_argument("name", nargs="?", help="the runner's name")
    _add_building(commands)
    _add_runner(commands)
    _add(commands, "settings", "print the table of settings")
    manage = _add(commands, "manage", "one of Django's own commands, for example `manage changepassword owner`")
    manage.add_argument("arguments", nargs=argparse.REMAINDER, metavar="...")
    return parser


def _add_serving(commands: "argparse._SubParsersAction[AnyOrder]") -> None:
    serve = _add(commands, "serve", "run the site; what is missing is made first: data folder, database, owner, papers")
    serve.add_argument("--host", default="127.0.0.1", help="address to listen at (default: %(default)s)")
    serve.add_argument("--port", type=_port, default=8000, help="port to listen at (default: %(default)s)")
    serve.add_argument("--threads", type=_threads, default=8, help="requests answered at once (default: %(default)s)")
    serve.add_argument("--owner", default="owner", help="name of the owner of a fresh site (default: %(default)s)")
    serve.add_argument("--no-runner", dest="runner", action="store_false", help="build nothing on this machine")
    _trusting(serve)


def _add_runner(commands: "argparse._SubParsersAction[AnyOrder]") -> None:
    """What is typed on a machine that builds."""
    runner = _add_for_runner(commands, "runner", "build what the site gives out; `serve` starts one by itself")
    runner.add_argument("--url", help="the site's address (default: SOTABENCH_URL); the token: SOTABENCH_RUNNER_TOKEN")
    runner.add_argument("--with-parent", action="store_true", help="stop when standard input ends")
    _trusting(runner)
    _add_for_runner(commands, "doctor", "run the sandbox on each slot of this machine, and say what to mend")


def _add_building(commands: "argparse._SubParsersAction[AnyOrder]") -> None:
    repositories = _add(commands, "repositories", "add one without a proof, list them, or allow that one is built")
    repositories.add_argument("action", choices=["add", "approve", "list"], help="what to do")
    repositories.add_argument("repository", nargs="?", help="https, ssh or file address to add; [host/]owner/name")
    repositories.add_argument("--name", help="owner/name of a file address (default: how its path ends)")
    repositories.add_argument("--owner", help="user whom it belongs to (default: the site's owner)")
    repositories.add_argument("--branch", default="main", help="default branch (default: %(default)s)")
    drain = _add(commands, "drain", "build nothing new, from now on or no longer; it outlives a restart")
    drain.add_argument("state", choices=["on", "off", "show"], help="what to do")
    drain.add_argument("--reason", default="", help="why, for whoever looks")


def _add_data_commands(commands: "argparse._SubParsersAction[AnyOrder]") -> None:
    """What is compared on, and the images for it."""
    benchmarks = _add(commands, "benchmarks", "list the benchmarks, or give one the right class of every image")
    benchmarks.add_argument("action", choices=["list", "labels"], help="what to do")
    benchmarks.add_argument("slug", nargs="?", help="the benchmark, as its address ends")
    benchmarks.add_argument("file", nargs="?", type=Path, help="CSV with the columns id,class_index, a row an image")
    datasets = _add(commands, "datasets", "give builds the images to be evaluated on: a copy whose folders are decoys")
    datasets.add_argument("action", choices=["add", "list", "remove"], help="what to do")
    datasets.add_argument("name", nargs="?", help="imagenet")
    datasets.add_argument("--path", type=Path, help="folder of the validation images, in any usual layout")
    datasets.add_argument(
        "--geometry",
        action="append",
        default=[],
        help="prepare images also so: RESIZE/CROP/FILTER, such as 342/299/bicubic (256/224 by both filters always are)",
    )


def _add(commands: "argparse._SubParsersAction[AnyOrder]", name: str, what: str) -> argparse.ArgumentParser:
    parser = commands.add_parser(name, help=what, description=what)
    _add_folder(parser, default=argparse.SUPPRESS)  # so that one named before the command stays
    parser.set_defaults(side="server")
    return parser


def _add_folder(parser: argparse.ArgumentParser, *, default: str | None) -> None:
    what = "the site's folder (default: SOTABENCH_DATA, else ./sotabench-data)"
    parser.add_argument("--data", type=Path, default=default, help=what, metavar="FOLDER")


def _port(text: str) -> int:
    if not (text.isascii() and text.isdigit() and 0 < int(text[:9]) < 2**16):
        raise argparse.ArgumentTypeError(f"expected a port from 1 to 65535, found {text[:20]!r}")
    return int(text)


def _threads(text: str) -> int:
    if not (text.isascii() and text.isdigit() and 0 < int(text[:9]) <= _MOST_THREADS):
        raise argparse.ArgumentTypeError(f"expected a number from 1 to {_MOST_THREADS}, found {text[:20]!r}")
    return int(text)


def _trusting(parser: argparse.ArgumentParser) -> None:
    what = "build without a sandbox: repositories can do what this program can; shown on every result made so"
    parser.add_argument("--trust-repositories", action="store_true", help=what)


def _add_for_runner(commands: "argparse._SubParsersAction[AnyOrder]", name: str, what: str) -> argparse.ArgumentParser:
    """A command of the runner's side: what it needs to know of its machine comes from SOTABENCH_RUNNER_* variables."""
    parser = commands.add_parser(name, help=what, description=what, epilog=_RUNNER_SETTINGS)
    parser.set_defaults(side="runner")
    return parser


def _fail(message: str) -> int:
    print(f"sotabench: {message}", file=sys.stderr)  # noqa: T201 - a command line's answer
    return 1
