"""What a task sees of the machine's folders."""

import contextlib
import os
import subprocess
import sys
import tempfile
import threading
from dataclasses import replace
from pathlib import Path

import pytest

from sotabench.errors import Broken, Failed
from sotabench.runner.sandbox import Mount, Slot, Trusted, entries_below, interpreter_mounts, own, remove
from sotabench.runner.sandbox.interpreter import own_interpreter


@pytest.fixture(params=["bubblewrap", "trusted"])
def either(request, inside):
    if request.param == "trusted":
        inside.sandbox = Trusted(Slot(0, os.getuid(), os.getgid()))
    return inside


@pytest.fixture
def data(tmp_path):
    folder = tmp_path / "machine" / "imagenet"
    folder.mkdir(parents=True)
    (folder / "val").mkdir()
    (folder / "val" / "one.jpeg").write_text("pixels")
    return folder


def test_what_is_mounted_read_only_is_not_written(inside, data, say):
    image = "/data/val/one.jpeg"
    for command in ("echo x > /data/new", f"echo x > {image}", f"rm {image}", "mv /data/val /data/w", f"touch {image}",
                    "chmod 777 /data/val", f"ln {image} /build/link"):  # fmt: skip
        assert not inside.run("sh", "-c", command, mounts=[Mount(data, "/data")]).well, command
        say(inside.text.strip())
    assert (data / "val" / "one.jpeg").read_text() == "pixels"


def test_what_is_mounted_below_a_closed_folder_is_read_all_the_same(inside, data):
    data.parent.chmod(0o700)
    inside.run("cat", "/data/val/one.jpeg", mounts=[Mount(data, "/data")])
    assert inside.text == "pixels"


@pytest.mark.skipif(os.getuid() != 0, reason="what only root may read is what this is about")
def test_a_file_that_only_root_may_read_is_not_read_though_it_is_mounted(inside, data):
    (data / "labels").write_text("secret")
    (data / "labels").chmod(0o600)
    outcome = inside.run("cat", "/data/labels", mounts=[Mount(data, "/data")])
    assert outcome.code == 1
    assert "Permission denied" in inside.text


def test_data_lie_where_the_repository_looks_for_them(either, data):
    inner = Mount(data, "/build/.data/vision/imagenet")
    assert either.run("cat", "/build/.data/vision/imagenet/val/one.jpeg", mounts=[inner]).well
    assert either.text == "pixels"


def test_a_link_of_the_repository_where_data_lie_leads_nowhere(inside, data, tmp_path, say):
    """Nothing is made in the folder that it leads to, and the data are mounted where the link was."""
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (inside.checkout / ".data").symlink_to(elsewhere)
    outcome = inside.run(
        "cat", "/build/.data/vision/imagenet/val/one.jpeg", mounts=[Mount(data, "/build/.data/vision/imagenet")]
    )
    assert outcome.well
    assert inside.text == "pixels"
    assert list(elsewhere.iterdir()) == []
    say("a link in the place of a mount is removed")


def test_a_link_to_a_machines_folder_is_read_inside_and_not_outside(inside, tmp_path):
    (tmp_path / "secret").write_text("secret")
    (inside.checkout / "link").symlink_to(tmp_path / "secret")
    assert inside.run("cat", "/build/link").code == 1
    assert "secret\n" not in inside.text


def test_a_file_where_a_folder_is_to_be_mounted_is_the_repositorys_fault(either, data):
    (either.checkout / ".data").write_text("x")
    with pytest.raises(Failed, match=r"\.data"):
        either.run("true", mounts=[Mount(data, "/build/.data/imagenet")])


def test_a_file_is_mounted_as_a_file(inside, tmp_path):
    (tmp_path / "hosts").write_text("known")
    inside.run("cat", "/run/known", mounts=[Mount(tmp_path / "hosts", "/run/known")])
    assert inside.text == "known"


def test_a_folder_of_the_machine_takes_the_place_of_one_in_memory(inside, tmp_path):
    home = tmp_path / "home"
    home.mkdir()
    own(home, inside.sandbox.slot)
    assert inside.run("sh", "-c", "echo kept > ~/file", mounts=[Mount(home, "/home/sota", writable=True)]).well
    assert (home / "file").read_text() == "kept\n"


def test_a_task_gets_its_own_environment_and_nothing_of_the_runners(either, monkeypatch):
    monkeypatch.setenv("SOTABENCH_RUNNER_TOKEN", "secret")
    either.run("env", environment={"GIVEN": "yes", "HOME": "/build"})
    assert "GIVEN=yes" in either.text
    assert "secret" not in either.text
    names = {line.partition("=")[0] for line in either.text.splitlines()}
    assert names <= {"GIVEN", "HOME", "PATH", "LANG", "USER", "PWD"}


def test_without_isolation_paths_of_mounts_are_those_of_the_machine(checkout, data, inside):
    inside.sandbox = Trusted(Slot(0, os.getuid(), os.getgid()))
    script = "cd /build; cat /data/val/one.jpeg > out; echo $PLACE; cat /database 2>&1; pwd"
    inside.run("sh", "-c", script, mounts=[Mount(data, "/data")], environment={"PLACE": "a:/data/val:/datab"})
    assert (checkout / "out").read_text() == "pixels"
    assert f"a:{data}/val:/datab" in inside.text
    assert "/database" in inside.text
    assert str(checkout) in inside.text


def test_an_interpreter_starts_under_its_own_path_with_all_that_it_has(inside, tmp_path):
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", tmp_path / "venv"], check=True)
    python = tmp_path / "venv/bin/python"
    (tmp_path / "venv/lib" / f"python3.{sys.version_info.minor}" / "site-packages" / "ours.py").write_text("x = 1")
    code = "import ctypes, ours, sqlite3, ssl, sys; print(sys.executable)"
    outcome = inside.run(str(python), "-c", code, mounts=interpreter_mounts(python))
    assert outcome.well, inside.text
    assert inside.text.strip() == str(python)


def test_an_interpreter_behind_a_chain_of_links_starts(inside, tmp_path):
    first, second = tmp_path / "a/bin", tmp_path / "b/bin"
    for folder in (first, second):
        folder.mkdir(parents=True)
    (first / "python").symlink_to(own_interpreter())
    (second / "python").symlink_to("../../a/bin/python")
    outcome = inside.run(str(second / "python"), "-c", "print('starts')", mounts=interpreter_mounts(second / "python"))
    assert outcome.well, inside.text
    assert inside.text.strip() == "starts"


def test_what_is_no_interpreter_is_said_to_be_none(tmp_path):
    (tmp_path / "python").symlink_to("python")
    with pytest.raises(Broken, match="expected a Python interpreter"):
        interpreter_mounts(tmp_path / "python")


def test_a_system_interpreter_needs_no_mount():
    python = Path("/usr/bin/python3")
    if not python.exists():
        pytest.skip("this machine has no Python of its system's")
    assert interpreter_mounts(python) == ()


@pytest.mark.skipif(os.getuid() != 0, reason="only root gives files away")
def test_folders_are_given_to_a_slot_with_links_themselves_and_not_what_they_lead_to(tmp_path):
    (tmp_path / "mine").write_text("x")
    folder = tmp_path / "folder"
    (folder / "inner").mkdir(parents=True)
    (folder / "inner" / "link").symlink_to(tmp_path / "mine")
    own(folder, Slot(0, 64001, 64002))
    for path in (folder, folder / "inner", folder / "inner" / "link"):
        assert (path.lstat().st_uid, path.lstat().st_gid) == (64001, 64002)
    assert (tmp_path / "mine").stat().st_uid == 0


@pytest.mark.skipif(os.getuid() != 0, reason="only root has a uid for each slot")
def test_slots_do_not_read_each_others_files(inside, checkout):
    inside.run("sh", "-c", "umask 077; echo secret > /build/file")
    other = type(inside.sandbox)(replace(inside.sandbox.slot, number=1, uid=99_999, gid=99_999))
    printed = bytearray()
    task = inside.task("cat", "/build/file")
    outcome = other.run(task, output=printed.extend, stop=threading.Event())
    assert outcome.code == 1
    assert b"Permission denied" in printed


def make_deep(folder, levels):
    """So many folders, one in the other, as a process makes them that goes down with them."""
    code = f"import os\nfor _ in range({levels}): os.mkdir('a'); os.chdir('a')\nopen('file', 'w').close()"
    subprocess.run([sys.executable, "-c", code], cwd=folder, check=True)


@pytest.mark.parametrize("levels", [1500, 6000], ids=["deeper than Python calls", "deeper than a path is long"])
def test_folder_of_any_depth_is_given_and_removed(tmp_path, slot, levels):
    folder = tmp_path / "deep"
    folder.mkdir()
    make_deep(folder, levels)
    own(folder, slot)
    if os.geteuid() == 0:
        assert {entry.stat().st_uid for entry in os.scandir(folder)} == {slot.uid}
    with pytest.raises(Failed, match="at most 500 levels"):
        list(entries_below(folder))
    remove(folder)
    assert not folder.exists()


def test_what_is_removed_is_the_link_or_nothing_and_never_what_it_leads_to(tmp_path, data):
    folder = tmp_path / "build"
    folder.mkdir()
    (folder / "data").symlink_to(data)
    remove(tmp_path / "nothing")
    remove(folder)
    assert not folder.exists()
    assert (data / "val" / "one.jpeg").read_text() == "pixels"


def test_entries_below_are_all_of_them_and_links_are_not_followed(tmp_path, data):
    (data / "val" / "up").symlink_to(data)
    found = {os.path.relpath(entry.path, data) for entry in entries_below(data)}
    assert found == {"val", "val/one.jpeg", "val/up"}


def test_path_longer_than_this_machine_takes_is_the_repositorys_fault(tmp_path):
    folder = tmp_path / "weights"
    folder.mkdir()
    name = "d" * 255
    longest = subprocess.check_output(["getconf", "PATH_MAX", "/"], text=True)
    with contextlib.chdir(folder):
        while len(str(Path.cwd())) + len(name) + 2 < int(longest):
            Path(name).mkdir()
            os.chdir(name)
        for length in range(1, 256):
            Path("x" * length).touch()
    with pytest.raises(Failed, match="can be read, found one in weights with: File name too long"):
        list(entries_below(folder))
    remove(folder)
    assert not folder.exists()


@pytest.mark.skipif(os.getuid() != 0, reason="takes another user's part")
def test_what_a_build_closed_against_its_own_user_is_removed():
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place, "own")
        os.chown(place, 65534, 65534)
        child = os.fork()
        if child == 0:
            os.setgid(65534)
            os.setuid(65534)
            (folder / "a" / "b").mkdir(parents=True)
            for closed in (folder / "a" / "b", folder / "a", folder):
                closed.chmod(0)
            remove(folder)
            os._exit(0)
        os.waitpid(child, 0)
        assert not folder.exists()


@pytest.fixture
def upload(tmp_path):
    file = tmp_path / "upload"
    file.write_text("labels")
    return file


def test_a_folder_where_a_file_is_to_be_mounted_is_refused_in_plain_words(either, upload):
    (either.checkout / ".data/mine.csv/inner").mkdir(parents=True)
    own(either.checkout, either.sandbox.slot)
    with pytest.raises(
        Failed, match=r"expected a file or nothing at /build/\.data/mine\.csv, found a folder; remove it"
    ):
        either.run("true", mounts=[Mount(upload, "/build/.data/mine.csv")])


@pytest.mark.parametrize("source", ["upload", "data"])
def test_a_file_where_the_folder_of_a_mount_is_to_be_is_refused_in_plain_words(either, source, request):
    (either.checkout / ".data").mkdir()
    (either.checkout / ".data/mine").touch()
    with pytest.raises(Failed, match=r"expected a folder or nothing at /build/\.data/mine, found a file; remove it"):
        either.run("true", mounts=[Mount(request.getfixturevalue(source), "/build/.data/mine/inner")])


@pytest.mark.parametrize("mode", [0o500, 0o000])
def test_folders_that_the_repository_closed_hold_mounts_all_the_same(either, upload, data, mode):
    (either.checkout / ".data/vision").mkdir(parents=True)
    own(either.checkout, either.sandbox.slot)
    for place in (".data/vision", ".data", ""):
        (either.checkout / place).chmod(mode)
    mounts = [Mount(upload, "/build/.data/new/mine.csv"), Mount(data, "/build/.data/vision/imagenet")]
    assert either.run("cat", ".data/new/mine.csv", ".data/vision/imagenet/val/one.jpeg", mounts=mounts).well, (
        either.text
    )
    assert either.text == "labelspixels"


def test_mount_points_that_are_made_are_the_tasks_own(inside, upload, data):
    mounts = [Mount(upload, "/build/.data/new/mine.csv"), Mount(data, "/build/.data/vision/imagenet")]
    assert inside.run("sh", "-c", "touch .data/a .data/new/b .data/vision/c", mounts=mounts).well, inside.text
    assert inside.run("rm", "-r", ".data").well, inside.text


def test_checkout_that_its_own_code_closed_is_open_in_the_next_stage(either):
    own(either.checkout, either.sandbox.slot)
    assert either.run("chmod", "0", ".").well
    assert either.run("touch", "more").well, either.text
