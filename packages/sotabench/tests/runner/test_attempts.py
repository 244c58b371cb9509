"""Attempts from inside, each as a real command in the real sandbox; each prints what stopped it."""

import contextlib
import os
import textwrap
import threading
from pathlib import Path

import pytest

from sotabench.runner.sandbox.interpreter import own_interpreter
from sotabench.runner.sandbox.plan import Ended

TRY = """
import ctypes, os, socket, struct, subprocess, sys
libc = ctypes.CDLL(None, use_errno=True)
def call(name, number, *arguments):
    if libc.syscall(number, *arguments) < 0:
        error = ctypes.get_errno()
        raise OSError(error, os.strerror(error), name)
try:
    {body}
except Exception as error:
    print("STOPPED by", type(error).__name__, error)
else:
    print("REACHED")
"""


def attempt(inside, body: str, *arguments: str, **changes) -> str:
    """The line that says what stopped it."""
    outcome = inside.python(TRY.format(body=textwrap.indent(body, "    ").strip()), *arguments, **changes)
    line = (inside.text.strip().splitlines() or [outcome.reason])[-1]
    assert "REACHED" not in inside.text, line
    return line


FILES = {
    "a file below /root": "open('/root/.bashrc').read()",
    "the password hashes": "open('/etc/shadow').read()",
    "the machine's users": "assert 'daemon' in open('/etc/passwd').read()",
    "the machine's host name": "assert socket.gethostname() != 'sandbox'",
    "the environment of process 1": "assert b'SECRET' in open('/proc/1/environ', 'rb').read()",
    "the machine's root through process 1": "os.listdir('/proc/1/root/root/.ssh')",
    "the folders of other programs": "os.listdir('/var/lib'); os.listdir('/srv')",
    "the machine's temporary files": "assert os.listdir('/tmp')",
    "the machine's disks": "open('/dev/vda', 'rb').read(1)",
    "the kernel's memory": "open('/dev/mem', 'rb').read(1)",
    "the kernel's settings": "open('/proc/sys/kernel/core_pattern', 'w').write('|/bin/sh')",
    "the trigger of the kernel": "open('/proc/sysrq-trigger', 'w').write('c')",
    "control groups": "os.listdir('/sys/fs/cgroup')",
    "a file in /usr": "open('/usr/bin/attack', 'w')",
    "a file in /": "open('/attack', 'w')",
    "a file in /etc": "open('/etc/attack', 'w')",
    "a file in /dev, which is memory": "open('/dev/attack', 'w')",
    "a file in /run": "open('/run/attack', 'w')",
    "more rights through a program with the set-uid bit": "subprocess.run(['su', '-c', 'true'], check=True, stdin=-3)",
    "another uid": "os.setuid(0)",
    "a set-uid program of its own": "open('/build/x','w').close(); os.chown('/build/x', 0, 0)",
    "a device node of its own": "os.mknod('/build/disk', 0o60666, os.makedev(254, 0))",
}  # fmt: skip


@pytest.mark.parametrize("body", FILES.values(), ids=FILES)
def test_nothing_of_the_machine_is_reached(inside, say, body):
    line = attempt(inside, body)
    assert line.startswith("STOPPED"), line
    say(line)


def test_values_of_variables_are_on_no_command_line_inside_or_on_the_machine(inside, say):
    """Bubblewrap is process 1 inside, and every user of the machine can read its command line outside."""
    found = {}

    def look(block):
        inside.printed.extend(block)
        for path in Path("/proc").glob("[0-9]*/cmdline"):
            with contextlib.suppress(OSError):
                found[path] = path.read_bytes()

    code = (
        "import glob, time; print([one for one in glob.glob('/proc/[0-9]*/cmdline') if b's3' + b'cret' in "
        "open(one, 'rb').read()], flush=True); time.sleep(0.5)"
    )
    task = inside.task(str(own_interpreter()), "-I", "-c", code, environment={"UV_INDEX": "https://ada:s3cret@host/"})
    assert inside.sandbox.run(task, output=look, stop=threading.Event()).well, inside.text
    assert inside.text.strip() == "[]"
    assert any(b"bwrap" in line for line in found.values())
    assert not [path for path, line in found.items() if b"s3cret" in line]
    say("stopped: bubblewrap reads its options from a file in memory")


CALLS = {
    "unshare a user namespace": "call('unshare', 272, 0x10000000)",
    "unshare a mount namespace": "call('unshare', 272, 0x20000)",
    "clone a user namespace": "call('clone', 56, 0x10000000 | 17, 0, 0, 0, 0)",
    "clone3": "call('clone3', 435, 0, 0)",
    "mount": "call('mount', 165, b'none', b'/tmp', b'tmpfs', 0, 0)",
    "mount by the new calls": "call('fsopen', 430, b'tmpfs', 0)",
    "unmount": "call('umount2', 166, b'/build', 2)",
    "trace another process": "call('ptrace', 101, 16, 1, 0, 0)",
    "read another process's memory": "call('process_vm_readv', 310, 1, 0, 0, 0, 0, 0)",
    "bpf": "call('bpf', 321, 0, 0, 0)",
    "io_uring": "call('io_uring_setup', 425, 8, 0)",
    "keyctl": "call('keyctl', 250, 0, -3, 0)",
    "userfaultfd": "call('userfaultfd', 323, 1)",
    "perf events": "call('perf_event_open', 298, 0, 0, -1, -1, 0)",
    "kexec": "call('kexec_load', 246, 0, 0, 0, 0)",
    "a kernel module": "call('finit_module', 313, 0, b'', 0)",
    "open by file handle": "call('open_by_handle_at', 304, 0, 0, 0)",
    "enter a namespace": "call('setns', 308, 0, 0)",
    "change the root": "call('chroot', 161, b'/build')",
    "memory of no process": "call('shmget', 29, 0, 1 << 30, 0o1600)",
    "reboot": "call('reboot', 169, 0xfee1dead, 672274793, 0x4321fedc, 0)",
    "type into the terminal of the runner": "import fcntl, pty; fcntl.ioctl(pty.openpty()[1], 0x5412, b'x')",
    "the same with bits above the lower 32": "call('ioctl', 16, __import__('pty').openpty()[1], 0x100005412, b'x')",
    "netlink sockets": "socket.socket(16, socket.SOCK_RAW, 0)",
    "packet sockets": "socket.socket(17, socket.SOCK_RAW, 0)",
    "raw sockets": "socket.socket(socket.AF_INET, socket.SOCK_RAW, 1)",
    "crypto sockets": "socket.socket(38, socket.SOCK_SEQPACKET, 0)",
    "virtual machine sockets": "socket.socket(40, socket.SOCK_STREAM, 0)",
    "families between the allowed ones": "socket.socket(9, socket.SOCK_STREAM, 0)",
}  # fmt: skip


@pytest.mark.skipif(os.uname().machine != "x86_64", reason="the numbers of the calls are this architecture's")
@pytest.mark.parametrize("body", CALLS.values(), ids=CALLS)
def test_calls_that_no_evaluation_needs_are_refused(inside, say, body):
    line = attempt(inside, body)
    assert line.startswith("STOPPED"), line
    assert any(word in line for word in ("not permitted", "not implemented", "not supported")), line
    say(line)


def test_a_command_of_32_bits_cannot_go_round_the_filter(inside):
    code = "import ctypes, mmap\nm = mmap.mmap(-1, 4096, prot=7)\nm.write(bytes.fromhex('b814000000cd80c3'))\n"
    code += "ctypes.CFUNCTYPE(ctypes.c_int)(ctypes.addressof(ctypes.c_char.from_buffer(m)))()\nprint('REACHED')"
    outcome = inside.python(code)  # getpid by int 0x80
    assert outcome.ended is Ended.KILLED
    assert "SIGSYS" in outcome.reason
    assert "REACHED" not in inside.text
