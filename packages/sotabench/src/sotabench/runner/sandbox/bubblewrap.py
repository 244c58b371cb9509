"""The options of bubblewrap: what a task sees of the machine, and no more.

They are read from a file in memory: bubblewrap is process 1 inside, and everybody there, as every user of the machine,
can read its command line. Values of variables may be secrets.
"""

import functools
import os
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from sotabench.errors import Broken
from sotabench.runner.sandbox.interpreter import own_interpreter
from sotabench.runner.sandbox.plan import Mount, Task

INSTALL = "apt-get install bubblewrap"
UID, NAME, HOME = 1000, "sota", "/home/sota"
PATH = "/usr/local/bin:/usr/bin:/bin"
TEMPORARY = ("/dev/shm", "/tmp", HOME)  # noqa: S108 - inside the sandbox, its own
SOCKET, BRIDGE = "/run/sotabench/egress.sock", "/run/sotabench/bridge.py"
PROXY_PORT = 3128
_WHOLE_FROM_ETC = ("ld.so.cache", "ssl/certs", "alternatives", "pki/tls/certs", "pki/ca-trust/extracted", "mime.types")
OWN_IN_ETC = {
    "passwd": f"{NAME}:x:{UID}:{UID}:{NAME}:{HOME}:/bin/sh\nnobody:x:65534:65534:nobody:/nonexistent:/bin/false\n",
    "group": f"{NAME}:x:{UID}:\nnogroup:x:65534:\n",
    "hosts": "127.0.0.1 localhost sandbox\n::1 localhost sandbox\n",
    "nsswitch.conf": "passwd: files\ngroup: files\nhosts: files\n",
}
_FOR_ACCELERATORS = ("/sys/devices/system", "/sys/bus/pci", "/sys/module/nvidia", "/sys/class/kfd", "/sys/class/drm",
                     "/sys/devices/virtual/kfd", "/sys/dev/char")  # fmt: skip


@dataclass(frozen=True)
class Descriptors:
    """Open files that bubblewrap reads or writes, by number."""

    seccomp: int
    etc: dict[str, int]


def temporary_folders(task: Task) -> list[str]:
    """The folders in memory that the task has; where it mounts one of its own, that takes the place."""
    taken = {mount.target.rstrip("/") for mount in task.mounts}
    return [target for target in TEMPORARY if target not in taken]


def executable() -> str:
    """Where bubblewrap is.

    Raises Broken, with the line that mends it, when it is not there.
    """
    found = shutil.which("bwrap")
    if not found:
        raise Broken(f"expected bubblewrap, found none; install it: {INSTALL}")
    return found


@functools.cache
def _can_disable_namespaces(program: str) -> bool:
    answer = subprocess.run([program, "--help"], capture_output=True, text=True, check=False, timeout=30)  # noqa: S603
    return "--disable-userns" in answer.stdout + answer.stderr


def command_line(task: Task, *, options: int, status: int) -> list[str]:
    """All that others may read; the descriptors are of a file with the options, and the one to report on."""
    return [executable(), "--args", str(options), "--json-status-fd", str(status), "--", *_command(task)]


def options(task: Task, mounts: Sequence[Mount], descriptors: Descriptors) -> bytes:
    """What bubblewrap reads by `--args`; `mounts` are the task's, with the place from which each is to be bound."""
    words = [
        *_isolation(),
        *_system(task, descriptors),
        *_temporary(task),
        *_bound(mounts),
        *_devices(task),
        *("--remount-ro", "/dev", "--remount-ro", "/"),
        *_environment(task),
        *("--chdir", task.folder),
        *("--seccomp", str(descriptors.seccomp)),
    ]
    return b"".join(os.fsencode(word) + b"\0" for word in words)


def _isolation() -> list[str]:
    # --unshare-cgroup-try, not --unshare-all: that one would do without a user namespace where there is none.
    namespaces = [f"--unshare-{name}" for name in ("user", "pid", "ipc", "uts", "net", "cgroup-try")]
    further = ["--disable-userns"] if _can_disable_namespaces(executable()) else []
    return [*namespaces, *further, "--die-with-parent", "--new-session", "--cap-drop", "ALL", "--clearenv",
            "--uid", str(UID), "--gid", str(UID), "--hostname", "sandbox"]  # fmt: skip


def _system(task: Task, descriptors: Descriptors) -> list[str]:
    arguments = ["--ro-bind", "/usr", "/usr"]
    for name in ("bin", "sbin", "lib", "lib32", "lib64", "libx32"):
        place = Path("/", name)
        if place.is_symlink():
            arguments += ["--symlink", f"usr/{name}", str(place)]
        elif place.is_dir():
            arguments += ["--ro-bind", str(place), str(place)]
    arguments += ["--dir", "/etc"]
    for name in _WHOLE_FROM_ETC:
        arguments += ["--ro-bind-try", f"/etc/{name}", f"/etc/{name}"]
    for name, number in descriptors.etc.items():
        arguments += ["--perms", "0444", "--ro-bind-data", str(number), f"/etc/{name}"]
    for name in _FOR_ACCELERATORS if task.devices else ():
        arguments += ["--ro-bind-try", name, name]
    return [*arguments, "--proc", "/proc", "--dev", "/dev"]


def _temporary(task: Task) -> list[str]:
    """Folders in memory: `/dev/shm` of half the memory, for loaders pass whole batches through it."""
    size = str(max(task.limits.memory // 2, 4096))
    arguments = []
    for target in temporary_folders(task):
        arguments += ["--perms", "0700", "--size", size, "--tmpfs", target]
    return arguments


def _bound(mounts: Sequence[Mount]) -> list[str]:
    arguments = []
    for mount in sorted(mounts, key=lambda mount: mount.target.rstrip("/").count("/")):
        arguments += ["--bind" if mount.writable else "--ro-bind", str(mount.source), mount.target]
    return arguments


def _devices(task: Task) -> list[str]:
    return [word for node in task.devices for word in ("--dev-bind", str(node), str(node))]


def _environment(task: Task) -> list[str]:
    values = {"HOME": HOME, "USER": NAME, "PATH": PATH, "LANG": "C.UTF-8", **task.environment}
    return [word for name, value in values.items() for word in ("--setenv", name, value)]


def _command(task: Task) -> list[str]:
    if task.network is None:
        return list(task.command)
    return [str(own_interpreter()), "-I", "-S", "-B", BRIDGE, str(PROXY_PORT), SOCKET, "--", *task.command]
