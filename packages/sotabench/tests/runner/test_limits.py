"""Limits hold for all processes of a task together, with isolation and without."""

import contextlib
import os
import subprocess
import threading
import time

import pytest

from sotabench.errors import Broken
from sotabench.runner.sandbox import Mount, Trusted
from sotabench.runner.sandbox.plan import Ended, Slot
from sotabench.runner.sandbox.watchdog import Memory

MEGABYTE = 1 << 20
FOREVER = "import time\ntime.sleep(1000)"


@pytest.fixture(params=["bubblewrap", "trusted"])
def either(request, inside):
    """Both kinds of sandbox; the second as the tests' own user, who can reach their folders."""
    if request.param == "trusted":
        inside.sandbox = Trusted(Slot(0, os.getuid(), os.getgid()))
    return inside


def test_a_task_that_ignores_signals_ends_with_its_time(either, say):
    code = "import signal\nfor number in (1, 2, 15): signal.signal(number, signal.SIG_IGN)\n" + FOREVER
    outcome = either.python(code, limits=either.limits(seconds=0.5))
    assert outcome.ended is Ended.OUT_OF_TIME
    assert outcome.code is None
    say(outcome.reason)


def test_a_fork_bomb_finds_no_more_processes(inside, say):
    code = """
import os, time
count = 0
try:
    while count < 2000:
        if os.fork() == 0:
            time.sleep(1000)
        count += 1
except OSError as error:
    print(count, "STOPPED by", error)
"""
    outcome = inside.python(code, limits=inside.limits(processes=40))
    count = int(inside.text.split()[0])
    assert outcome.well
    assert "STOPPED" in inside.text
    assert count < 2000 if os.getuid() else 20 < count <= 44
    say(inside.text)


def test_a_fork_bomb_of_a_shell_ends_and_leaves_nothing(inside, say):
    code = "bomb() { bomb | bomb & }; bomb; exec sleep 1000"
    outcome = inside.run("sh", "-c", code, limits=inside.limits(seconds=1, processes=50))
    assert outcome.ended in {Ended.OUT_OF_TIME, Ended.EXITED}
    assert os.getuid() or subprocess.run(["pgrep", "-u", str(inside.sandbox.slot.uid)], check=False).returncode == 1
    say(outcome.reason)


def test_thirty_gigabytes_in_one_process_are_refused(either, say):
    assert either.python("bytearray(30 << 30)").code == 1
    assert "MemoryError" in either.text
    say(either.text.strip().splitlines()[-1])


SPREAD = """
import os, time
for _ in range(8):
    if os.fork() == 0:
        kept = b"x" * (40 << 20)
        time.sleep(1000)
time.sleep(1000)
"""
IN_TMP = (
    """
import os
for name in ("/tmp/a", "/dev/shm/b"):
    with open(name, "wb") as file:
        for _ in range(90):
            file.write(bytes(1 << 20))
"""
    + FOREVER
)
NAMELESS = (
    """
import os
files = [os.memfd_create("x") for _ in range(8)]
for file in files:
    for _ in range(30):
        os.write(file, bytes(1 << 20))
"""
    + FOREVER
)
MAPPED = (
    """
import mmap
for_all = mmap.mmap(-1, 240 << 20)
for place in range(0, len(for_all), 4096):
    for_all[place] = 1
"""
    + FOREVER
)


@pytest.mark.parametrize("code", [SPREAD, NAMELESS, MAPPED], ids=["processes", "nameless files", "shared mappings"])
def test_memory_is_summed(either, say, code):
    outcome = either.python(code, limits=either.limits(memory=200 * MEGABYTE, seconds=30))
    assert outcome.ended is Ended.OUT_OF_MEMORY, outcome
    assert outcome.peak_memory > 200 * MEGABYTE
    say(outcome.reason)


def test_files_in_memory_are_memory(inside, say):
    limits = inside.limits(memory=160 * MEGABYTE, file_size=200 * MEGABYTE)
    inside.python(IN_TMP, limits=limits)
    assert "No space left" in inside.text
    limits = inside.limits(memory=130 * MEGABYTE, file_size=200 * MEGABYTE)
    outcome = inside.python(IN_TMP.replace("90", "64"), limits=limits)
    assert outcome.ended is Ended.OUT_OF_MEMORY, (outcome, inside.text)
    say(outcome.reason)


SHARED = """
import mmap, os, tempfile, time
kept = bytearray(b"x") * (100 << 20)
batch = tempfile.TemporaryFile(dir="/dev/shm")
batch.truncate(60 << 20)
children = []
for _ in range(6):
    children.append(os.fork())
    if children[-1] == 0:
        shared = mmap.mmap(batch.fileno(), 60 << 20)
        total = sum(kept[::4096]) + sum(1 for place in range(0, 60 << 20, 4096) if not shared.__setitem__(place, 1))
        time.sleep(1.5)
        os._exit(0)
for child in children:
    os.waitpid(child, 0)
print("done")
"""


def test_what_processes_share_counts_once(either):
    outcome = either.python(SHARED, limits=either.limits(memory=250 * MEGABYTE, seconds=60))
    assert outcome.well, (outcome, either.text)
    assert outcome.peak_memory < 250 * MEGABYTE


OPEN = (
    """
import os, sys
for _ in range(8000): os.dup(1)
for _ in range(int(sys.argv[1])):
    if os.fork() == 0: break
"""
    + FOREVER
)


def test_open_files_of_all_processes_are_summed(either, say):
    outcome = either.python(OPEN, "20")
    assert outcome.ended is Ended.TOO_MANY_OPEN, outcome
    say(outcome.reason)


MANY_MAPPINGS = (
    """
import ctypes, mmap, os
for_all = mmap.mmap(-1, 100 << 20)
libc = ctypes.CDLL(None)
libc.mprotect.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]
own = mmap.mmap(-1, 60_000 * 4096, flags=mmap.MAP_PRIVATE)
begin = ctypes.addressof(ctypes.c_char.from_buffer(own))
for place in range(0, 60_000, 2): libc.mprotect(begin + place * 4096, 4096, 1)
for _ in range(12):
    if os.fork() == 0:
        for place in range(0, len(for_all), 4096): for_all[place] = 1
        break
"""
    + FOREVER
)
SLOW_TO_COUNT = {"open files": (OPEN, "60"), "mappings": (MANY_MAPPINGS,)}


@pytest.mark.parametrize("code", SLOW_TO_COUNT.values(), ids=SLOW_TO_COUNT)
def test_what_is_slow_to_count_does_not_lengthen_the_time(inside, say, code):
    outcome = inside.python(*code, limits=inside.limits(seconds=2, memory=600 * MEGABYTE))
    assert outcome.ended is Ended.OUT_OF_TIME, outcome
    spent = float(outcome.reason.removeprefix("stopped after ").partition(" s")[0])
    assert spent < 4
    say(outcome.reason)


class Endless:
    """A process whose mappings have no end, and which shares what it has."""

    def __init__(self, folder):
        self.folder = folder
        (folder / "status").write_text("RssAnon:\t1000000 kB\n")
        os.mkfifo(folder / "smaps")

    def folders(self):
        yield str(self.folder)

    def temporary(self):
        return ()

    def write(self):
        with contextlib.suppress(BrokenPipeError), (self.folder / "smaps").open("w") as file:
            while True:
                file.write("7f0000000000-7f0000001000 rw-s 00000000 00:01 7 /memfd:x (deleted)\nPss: 0 kB\n" * 1000)


def test_memory_that_takes_too_long_to_count_is_too_much(inside, tmp_path, say):
    (tmp_path / "process").mkdir()
    processes, memory = Endless(tmp_path / "process"), Memory(inside.limits(memory=100 * MEGABYTE), longest=1.0)
    thread = threading.Thread(target=processes.write)
    thread.start()
    began = time.monotonic()
    while (verdict := memory.check(processes, {})) is None:
        assert time.monotonic() - began < 20
    del memory
    thread.join()
    assert verdict == (Ended.OUT_OF_MEMORY, "stopped: its memory could not be counted in 1 s")
    say(verdict[1])


def test_empty_files_in_memory_are_memory(inside, say):
    code = "for number in range(400_000): open(f'/tmp/{number}', 'w').close()\n" + FOREVER
    outcome = inside.python(code, limits=inside.limits(memory=200 * MEGABYTE))
    assert outcome.ended is Ended.OUT_OF_MEMORY, outcome
    say(outcome.reason)


def test_a_mapped_file_of_the_disk_is_no_memory(inside):
    (inside.checkout / "weights").write_bytes(bytes(60 * MEGABYTE))
    code = """
import mmap, os, time
file = open("/build/weights", "rb")
maps = [mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ) for _ in range(3)]
print(sum(sum(one[::4096]) for one in maps))
time.sleep(0.5)
"""
    outcome = inside.python(code, limits=inside.limits(memory=50 * MEGABYTE))
    assert outcome.well, (outcome, inside.text)
    assert outcome.peak_memory < 50 * MEGABYTE


def test_one_huge_file_is_refused(either, say):
    code = "file = open('huge', 'wb')\nfor _ in range(100): file.write(bytes(1 << 20))"
    assert either.python(code, limits=either.limits(file_size=20 * MEGABYTE)).code == 1
    assert "File too large" in either.text
    outcome = either.run(
        "sh", "-c", "exec head -c 50000000 /dev/zero > huge", limits=either.limits(file_size=20 * MEGABYTE)
    )
    assert outcome.ended is Ended.KILLED or outcome.code == 1
    say(outcome.reason)


def test_many_files_are_too_many(either, say):
    code = "for number in range(100_000): open(f'{number}', 'w').close()\n" + FOREVER
    outcome = either.python(code, limits=either.limits(files=1000, seconds=30))
    assert outcome.ended is Ended.TOO_MANY_FILES, outcome
    say(outcome.reason)


BYTES = "for number in range(60): open(f'{number}', 'wb').write(bytes(1 << 20))\n" + FOREVER
UNLINKED = (
    """
import os
files = []
for number in range(60):
    files.append(open("x", "wb"))
    os.unlink("x")
    files[-1].write(bytes(1 << 20))
    files[-1].flush()
"""
    + FOREVER
)
DEEP = (
    """
import os
for _ in range(60):
    os.mkdir("d" * 200)
    os.chdir("d" * 200)
for number in range(60): open(f"{number}", "wb").write(bytes(1 << 20))
"""
    + FOREVER
)
RESTLESS = (
    """
import os, threading
def disturb():
    while True:
        open("restless", "w").close()
        os.unlink("restless")
threading.Thread(target=disturb, daemon=True).start()
"""
    + BYTES
)


WAYS = {
    "in many files": BYTES,
    "without a name": UNLINKED,
    "in deep folders": DEEP,
    "while files come and go": RESTLESS,
}


@pytest.mark.parametrize("code", WAYS.values(), ids=WAYS)
def test_bytes_on_the_disk_are_summed(either, say, code):
    outcome = either.python(code, limits=either.limits(disk=40 * MEGABYTE, seconds=30))
    assert outcome.ended is Ended.OUT_OF_DISK, (outcome, either.text)
    say(outcome.reason)


def test_holes_and_further_names_of_a_file_take_no_room(inside):
    code = """
import os, time
with open("sparse", "wb") as file: file.truncate(60 << 20)
open("one", "wb").write(bytes(20 << 20))
for number in range(5): os.link("one", f"link{number}")
time.sleep(1.5)
"""
    outcome = inside.python(code, limits=inside.limits(disk=40 * MEGABYTE))
    assert outcome.well, (outcome, inside.text)


def test_no_core_is_dumped(inside):
    inside.python("import resource; print(resource.getrlimit(resource.RLIMIT_CORE))")
    assert inside.text.strip() == "(0, 0)"


def test_with_an_accelerator_addresses_are_not_limited(inside):
    code = "import resource; print(resource.getrlimit(resource.RLIMIT_AS)[0], open('/dev/null').read())"
    inside.python(code, devices=["/dev/null"])
    assert inside.text.strip() == "-1"


@pytest.fixture
def small_disk(tmp_path):
    """A disk with less room than the runner leaves free."""
    folder = tmp_path / "disk"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=100m,mode=777", "tmpfs", str(folder)]
    if os.getuid() != 0 or subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("may mount nothing here")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def test_disk_of_the_machine_that_is_full_is_no_fault_of_the_task(either, small_disk, say):
    with pytest.raises(Broken, match="the machine's disk had 100 MiB left") as stopped:
        either.python(FOREVER, mounts=[Mount(small_disk, "/full", writable=True)])
    say(str(stopped.value))
