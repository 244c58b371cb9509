"""Small programs that the doctor runs inside of sandboxes; each prints one line of JSON, or is meant to be stopped."""

ISOLATION = """
import ctypes, json, os, socket
status = dict(line.split(":\\t", 1) for line in open("/proc/self/status").read().splitlines() if ":\\t" in line)
libc = ctypes.CDLL(None, use_errno=True)
def reaches(address):
    try:
        socket.create_connection(address, timeout=2).close()
    except OSError:
        return False
    return True
open("/probe/mine", "w").close()
print(json.dumps({
    "capabilities": int(status["CapEff"], 16) | int(status["CapBnd"], 16),
    "filter": int(status["Seccomp"]),
    "namespace": libc.unshare(0x10000000) == 0,
    "processes": sum(name.isdigit() for name in os.listdir("/proc")),
    "loopback": reaches(("127.0.0.1", int(os.environ["PROBE_PORT"]))),
    "files": [name for name in ("/root/.ssh", "/var/lib", "/etc/shadow") if os.access(name, os.R_OK)],
}))
"""

FORK_BOMB = """
import json, os, time
count = 0
try:
    while count < 4096:
        if os.fork() == 0:
            time.sleep(60)
        count += 1
except OSError:
    print(json.dumps({"stopped_at": count}))
else:
    print(json.dumps({"stopped_at": None}))
"""

SPREAD_MEMORY = """
import os, time
for _ in range(8):
    if os.fork() == 0:
        kept = b"x" * (40 << 20)
        time.sleep(60)
time.sleep(60)
"""

PROXY = """
import json, os, socket, sys
place = os.environ["HTTPS_PROXY"].rpartition("/")[2].split(":")
answers = {}
for target in sys.argv[1:]:
    try:
        with socket.create_connection((place[0], int(place[1])), timeout=25) as connection:
            connection.sendall(f"CONNECT {target} HTTP/1.1\\r\\n\\r\\n".encode())
            answers[target] = connection.recv(2000).decode("latin-1").split("\\r\\n")[0].split(" ", 1)[-1]
    except OSError as error:
        answers[target] = str(error)
print(json.dumps(answers))
"""

TENSOR = """
import json, torch
has_one = torch.cuda.is_available()
device = "cuda" if has_one else "cpu"
value = float(torch.ones(64, 64, device=device).matmul(torch.ones(64, 64, device=device)).sum())
name = torch.cuda.get_device_name() if has_one else "cpu"
print(json.dumps({"sum": value, "torch": torch.__version__, "device": name}))
"""

DEVICES = """
import json, os, sys
closed = {}
for name in sys.argv[1:]:
    try:
        os.close(os.open(name, os.O_RDWR))
    except OSError as error:
        closed[name] = error.strerror
print(json.dumps(closed))
"""

DATA = """
import json, os, sys
found = None
for folder, folders, files in os.walk(sys.argv[1], onerror=lambda error: (_ for _ in ()).throw(error)):
    if files:
        found = os.path.join(folder, files[0])
        open(found, "rb").read(1)
        break
try:
    open(os.path.join(sys.argv[1], "probe"), "w").close()
    is_writable = True
except OSError:
    is_writable = False
print(json.dumps({"file": found, "writable": is_writable}))
"""
