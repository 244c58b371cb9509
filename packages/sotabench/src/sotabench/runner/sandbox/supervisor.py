"""Starts one task, and sees to it that nothing of it outlives the runner.

A program of its own, with one thread: what `--die-with-parent` follows is the thread that started bubblewrap. It reads
one line of JSON from its standard input; when that input ends, because the runner asks for it or was killed, it kills
every process of the task. Should it be killed itself, bubblewrap dies with it.

As root it binds what is to be mounted into a folder in memory that only its own mount namespace has, and drops to the
slot's uid then: so the task can be given a folder below one that its uid may not enter (a Python below /root). The
uid's own permissions on the files themselves hold all the same.
"""

import ctypes
import json
import os
import resource
import select
import signal
import stat
import sys
import time

NEW_NAMESPACE, BIND, RECURSIVE, PRIVATE, NO_SUID, NO_DEVICES = 0x20000, 0x1000, 0x4000, 1 << 18, 2, 4
BECOME_REAPER = 36
BETWEEN_KILLS = 0.005

libc = ctypes.CDLL(None, use_errno=True)


class Plan:
    """The line of JSON, by name."""

    answer: int  # descriptor
    command: list[str]
    environment: dict[str, str]
    folder: str  # in which it starts
    group: str  # the file of a control group that takes process numbers, or nothing
    keep: list[int]  # descriptors that the command inherits
    limits: dict[str, int]  # of the resource module, by name
    reachable: list[str]  # what the task's uid must be able to reach
    sources: list[str]
    stage: str  # folder in which the sources are bound, or nothing
    uid: int | None
    gid: int | None

    def __init__(self, line: bytes) -> None:
        self.__dict__.update(json.loads(line))


def main() -> None:
    """Answers on the plan's descriptor: `{"status": ...}` as wait(2) has it, or `{"broken": ...}`."""
    plan = Plan(_first_line())
    libc.prctl(BECOME_REAPER, 1, 0, 0, 0)
    try:
        if plan.stage:
            _stage(plan.stage, plan.sources)
        child = os.fork()
        if child == 0:
            _become(plan)
        answer: dict[str, object] = {"status": _wait(child)}
    except OSError as error:
        answer = {"broken": f"{error.strerror}: {error.filename}" if error.filename else str(error.strerror)}
    _kill_descendants()
    _say(plan, answer)


def _first_line() -> bytes:
    line = b""
    while not line.endswith(b"\n"):
        block = os.read(0, 1 << 16)
        if not block:
            sys.exit(1)
        line += block
    return line


def _say(plan: Plan, answer: dict[str, object]) -> None:
    os.write(plan.answer, json.dumps(answer).encode() + b"\n")


def _wait(child: int) -> int:
    descriptor = os.pidfd_open(child)
    ready, _, _ = select.select([0, descriptor], [], [])
    if descriptor not in ready:
        os.kill(child, signal.SIGKILL)
    return os.waitpid(child, 0)[1]


def _kill_descendants() -> None:
    """Kill until none is left: the children of what was killed become ours."""
    while True:
        try:
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        except ChildProcessError:
            return
        for child in _children():
            os.kill(child, signal.SIGKILL)
        time.sleep(BETWEEN_KILLS)


def _children() -> list[int]:
    own = os.getpid()
    return [pid for pid in map(int, filter(str.isdigit, os.listdir("/proc"))) if _parent(pid) == own]


def _parent(pid: int) -> int:
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            return int(file.read().rpartition(b")")[2].split()[1])
    except (OSError, IndexError):
        return 0


def _stage(folder: str, sources: list[str]) -> None:
    """Bind each source to a place below `folder`, named by its number."""
    _check(libc.unshare(NEW_NAMESPACE), "a mount namespace")
    _mount(None, "/", None, PRIVATE | RECURSIVE)
    opened = [os.open(source, os.O_PATH) for source in sources]  # first, for some may lie below the folder
    _mount("tmpfs", folder, "tmpfs", NO_SUID | NO_DEVICES, "mode=0711")
    for number, source in enumerate(opened):
        place = f"{folder}/{number}"
        if stat.S_ISDIR(os.fstat(source).st_mode):
            os.mkdir(place)
        else:
            os.close(os.open(place, os.O_CREAT | os.O_WRONLY))
        _mount(f"/proc/self/fd/{source}", place, None, BIND | RECURSIVE)
        os.close(source)


def _mount(source: str | None, target: str, kind: str | None, flags: int, options: str | None = None) -> None:
    words = [word if word is None else os.fsencode(word) for word in (source, target, kind, options)]
    _check(libc.mount(words[0], words[1], words[2], ctypes.c_ulong(flags), words[3]), source or target)


def _check(result: int, what: str) -> None:
    if result:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), what)


def _become(plan: Plan) -> None:
    """In the child: the limits, the uid, the command. Never comes back."""
    try:
        _limit_and_drop(plan)
        for path in plan.reachable:
            os.stat(path)
        for descriptor in plan.keep:
            os.set_inheritable(descriptor, True)
        os.chdir(plan.folder)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        os.execvpe(plan.command[0], plan.command, plan.environment)  # noqa: S606 - what it is for
    except OSError as error:
        _say(plan, {"broken": f"{error.strerror}: {error.filename or plan.command[0]}"})
    finally:
        os._exit(127)


def _limit_and_drop(plan: Plan) -> None:
    if plan.group:
        with open(plan.group, "w") as file:
            file.write(str(os.getpid()))
    with open("/proc/self/oom_score_adj", "w") as file:  # should the machine's memory end, the kernel takes the task
        file.write("1000")
    os.setsid()
    os.umask(0o022)
    if plan.uid is not None and plan.gid is not None:
        os.setgroups([])
        os.setresgid(plan.gid, plan.gid, plan.gid)
        os.setresuid(plan.uid, plan.uid, plan.uid)
    for name, wanted in plan.limits.items():
        number = getattr(resource, name)
        highest = resource.getrlimit(number)[1]
        value = wanted if highest == resource.RLIM_INFINITY else min(wanted, highest)
        resource.setrlimit(number, (value, value))


if __name__ == "__main__":
    main()
