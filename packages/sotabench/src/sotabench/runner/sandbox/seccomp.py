"""System calls that no evaluation needs, and that holes in kernels were reached through.

A deny-list: what is not named here is allowed, for numeric libraries use more of the kernel than a list of what they
need would foresee. Other architectures' calls (32 bits, x32) kill the process.
"""

import errno
import functools
import os
import tempfile

import pyseccomp

from sotabench.errors import Broken

FORBIDDEN = (
    # namespaces and mounts
    "unshare", "setns", "mount", "umount", "umount2", "pivot_root", "chroot", "fsopen", "fsconfig", "fsmount", "fspick",
    "move_mount", "open_tree", "mount_setattr", "name_to_handle_at", "open_by_handle_at",
    # other processes' memory and files
    "ptrace", "process_vm_readv", "process_vm_writev", "process_madvise", "kcmp", "pidfd_getfd",
    # parts of the kernel with a long list of holes
    "bpf", "io_uring_setup", "io_uring_enter", "io_uring_register", "userfaultfd", "perf_event_open", "keyctl",
    "add_key", "request_key", "fanotify_init", "lookup_dcookie", "vmsplice", "memfd_secret", "modify_ldt", "uselib",
    "ustat", "sysfs", "nfsservctl",
    # memory that belongs to no process
    "shmget", "msgget",
    # the machine
    "kexec_load", "kexec_file_load", "init_module", "finit_module", "delete_module", "create_module", "reboot",
    "swapon", "swapoff", "acct", "quotactl", "quotactl_fd", "syslog", "iopl", "ioperm", "settimeofday", "clock_settime",
    "clock_adjtime", "adjtimex", "vhangup", "sethostname", "setdomainname", "move_pages", "migrate_pages",
)  # fmt: skip
NAMESPACES = (0x00000080, 0x00020000, 0x02000000, 0x04000000, 0x08000000, 0x10000000, 0x20000000, 0x40000000)
TERMINAL_INPUT = (0x5412, 0x541C)  # TIOCSTI and TIOCLINUX: typing into the terminal of whoever started the runner
FAMILIES = {1, 2, 10}  # AF_UNIX, AF_INET, AF_INET6
_LAST_FAMILY = max(FAMILIES)


@functools.cache
def program() -> bytes:
    """The filter as the kernel reads it.

    Raises Broken where libseccomp is missing.
    """
    try:
        filter_ = _rules()
        with tempfile.TemporaryFile() as file:
            filter_.export_bpf(file)
            file.seek(0)
            return file.read()
    except (OSError, RuntimeError) as error:
        raise Broken(f"expected a seccomp filter, found {error}; install libseccomp2") from error


def _rules() -> pyseccomp.SyscallFilter:
    rules = pyseccomp.SyscallFilter(pyseccomp.ALLOW)
    denied = pyseccomp.ERRNO(errno.EPERM)
    for name in FORBIDDEN:
        if _known(name):
            rules.add_rule(denied, name)
    for flag in NAMESPACES:
        rules.add_rule(denied, "clone", pyseccomp.Arg(0, pyseccomp.MASKED_EQ, flag, flag))
    # Its flags lie in memory, where a filter cannot look; libraries fall back to clone when it is "not there".
    rules.add_rule(pyseccomp.ERRNO(errno.ENOSYS), "clone3")
    for request in TERMINAL_INPUT:
        rules.add_rule(denied, "ioctl", pyseccomp.Arg(1, pyseccomp.MASKED_EQ, 0xFFFFFFFF, request))
    for call in ("socket", "socketpair"):
        no_family = pyseccomp.ERRNO(errno.EAFNOSUPPORT)
        rules.add_rule(no_family, call, pyseccomp.Arg(0, pyseccomp.GT, _LAST_FAMILY))
        for family in set(range(_LAST_FAMILY)) - FAMILIES:
            rules.add_rule(no_family, call, pyseccomp.Arg(0, pyseccomp.EQ, family))
    return rules


def _known(name: str) -> bool:
    """Whether this libseccomp has heard of the call, and this machine has it."""
    return bool(pyseccomp.resolve_syscall(pyseccomp.system_arch(), name) >= 0)


def descriptor(content: bytes, name: str) -> int:
    """A file in memory with that content, read from its beginning; the caller closes it."""
    number = os.memfd_create(name)
    os.write(number, content)
    os.lseek(number, 0, os.SEEK_SET)
    return number
