"""What a hostile repository looks for in the sandbox of a real build: nothing of the runner's or of others is there."""

import pytest
from conftest import IMAGES

pytestmark = pytest.mark.django_db(transaction=True)

LOOK = """
LABELS = ("imagenet_validation_labels.npy", "imagenet_real_labels.npz")
found = []
for number in os.listdir("/proc"):
    for name in ("environ", "cmdline"):
        try:
            if SECRET in Path("/proc", number, name).read_bytes():
                found.append(f"/proc/{number}/{name}")
        except OSError:
            pass
tops = ["/tmp", "/work", "/run", "/etc", "/root", "/home", "/var", "/srv", "/opt", "/dev/shm", "/mnt"]
for top in tops:
    for folder, folders, names in os.walk(top):
        for name in names:
            try:
                path = Path(folder, name)
                if path.stat().st_size < 1 << 20 and path.name != "look.py" and SECRET in path.read_bytes():
                    found.append(str(path))
            except OSError:
                pass
            if name.endswith(".sqlite3") or name in LABELS:
                found.append(str(Path(folder, name)))
print("FOUND", found)
print("ENVIRONMENT", sorted(name for name in os.environ if "TOKEN" in name or "SECRET" in name or "ATTEMPT" in name))
print("ABOVE", sorted(os.listdir("/work")), os.path.exists("/work/key"))
"""


@pytest.mark.parametrize("stage", ["weights", "setup", "evaluate"])
def test_runners_token_database_labels_and_other_builds(nets, say, stage):
    look = "import os\nfrom pathlib import Path\nSECRET = 'sbr_'.encode() + b'of_this_very_runner'\n" + LOOK
    files = {
        "weights": {"weights__py": look},
        "setup": {"sotabench_setup__sh": "python look.py\n", "look__py": look},
        "evaluate": {},
    }[stage]
    ended = nets.push((look if stage == "evaluate" else "") + "call(4)", **files)
    assert ended.status == "finished", ended.log
    line = next(line for line in ended.log.splitlines() if line.startswith("FOUND"))
    say(f"stopped: {line}")
    assert line == "FOUND []"
    assert "ENVIRONMENT []" in ended.log
    assert "False" in next(line for line in ended.log.splitlines() if line.startswith("ABOVE"))


CHANGE = """
for place in PLACES:
    try:
        path = Path(place)
        target = path / "x" if path.is_dir() else path
        with target.open("ab") as file:
            file.write(b"#")
        print("CHANGED", place)
    except OSError as error:
        print("stopped:", place, error.strerror)
"""


@pytest.mark.parametrize("stage", ["weights", "evaluate"])
def test_shared_environment_base_own_helpers_and_data(nets, say, stage):
    places = (
        "import numpy, sys\nPLACES = ['/work/environment', '/work/environment/bin/python', sys.prefix, sys.base_prefix,"
        " numpy.__file__, '/work/inside/shims.py', '/work/inside', '/usr/lib', '/etc/passwd']\n"
        "if os.path.exists('/work/data'):\n"
        "    PLACES += ['/work/data/imagenet', '/work/data/imagenet/val/n01440764']\n"
    )
    change = "import os\nfrom pathlib import Path\n" + places + CHANGE
    ended = nets.push((change if stage == "evaluate" else "") + "call(4)", weights__py=change)
    assert ended.status == "finished", ended.log
    assert "CHANGED" not in ended.log
    assert ended.log.count("stopped:") >= 9
    say(f"{ended.log.count('stopped:')} places, all stopped: Read-only file system, or Permission denied")


def test_images_tell_neither_label_nor_name(nets):
    ended = nets.push(
        "for path in sorted(Path('/work/data/imagenet').rglob('*')):\n    print('SEEN', path.name)\ncall(4)"
    )
    seen = [line for line in ended.log.splitlines() if line.startswith("SEEN ILSVRC")]
    assert len(seen) == IMAGES
    assert "true-" not in ended.log


def test_daemon_of_one_stage_is_gone_in_the_next(nets, say):
    daemon = (
        "import subprocess, sys\n"
        "subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)', 'daemon-of-mine'], "
        "start_new_session=True)\n"
    )
    look = (
        "names = [Path('/proc', n, 'cmdline').read_bytes() for n in os.listdir('/proc') if n.isdigit()]\n"
        "print('LEFT', sum(b'daemon-of-mine' in name for name in names))\n"
    )
    setup = "nohup setsid sleep 600 daemon-of-mine >/dev/null 2>&1 &\n"
    ended = nets.push(look + "call(4)", weights__py=daemon, sotabench_setup__sh=setup)
    say("stopped: every stage has processes of its own, which end with it")
    assert ended.status == "finished", ended.log
    assert "LEFT 0" in ended.log
