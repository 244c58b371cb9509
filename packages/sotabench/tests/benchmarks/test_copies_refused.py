"""A copy is made whole or not at all: broken images, a small disk, an interrupt."""

import signal
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest
from made_up_sets import say_nothing, write_set

from sotabench.errors import Unusable
from sotabench.server.benchmarks.base import torchbench
from sotabench.server.benchmarks.copies import add_copy, remove_copy
from sotabench.server.benchmarks.models import DataCopy
from sotabench.server.benchmarks.trees import check_space
from sotabench.server.errors import Conflict, Invalid, NotFound

pytestmark = pytest.mark.django_db

SITE = "import sys; from sotabench.site import main; sys.exit(main())"


@pytest.mark.usefixtures("benchmarks")
def test_broken_images_leave_nothing(tmp_path):
    root = write_set(tmp_path, 3, 3)
    next(root.glob("val/*/*")).write_bytes(b"\xff\xd8\xff half")
    with pytest.raises(Unusable, match="data describe"):
        add_copy("imagenet", root, geometries=(), tell=say_nothing)
    assert not DataCopy.objects.exists()


def test_disk_without_room_is_said_before_anything_is_copied(tmp_path):
    with pytest.raises(Unusable, match="make room"):
        check_space(tmp_path, 1 << 60)


@pytest.mark.usefixtures("benchmarks")
def test_unknown_names_are_refused():
    with pytest.raises(Invalid, match="expected one of imagenet"):
        add_copy("../imagenet", Path("/"), geometries=(), tell=say_nothing)
    with pytest.raises(NotFound, match="datasets list"):
        remove_copy("imagenet")


def site(folder, *words, **rest):
    return subprocess.run(
        [sys.executable, "-c", SITE, "datasets", "--data", str(folder), *map(str, words)],
        capture_output=True, text=True, check=False, **rest,
    )  # fmt: skip


def test_interrupted_copy_leaves_nothing_and_the_next_try_is_whole(tmp_path):
    source, folder = write_set(tmp_path / "data", 200, 200), tmp_path / "site"
    command = [sys.executable, "-c", SITE, "datasets", "--data", str(folder), "add", "imagenet", "--path", str(source)]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    while process.poll() is None and not list((folder / "copies").glob(".coming-*/val/*/*")):
        time.sleep(0.005)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate()
    assert [path.name for path in (folder / "copies").iterdir()] == [".lock"]
    assert process.returncode == 1
    assert said.endswith("sotabench: stopped\n")
    assert "Traceback" not in said
    done = site(folder, "add", "imagenet", "--path", source)
    assert done.returncode == 0, done.stderr
    (tree,) = (path for path in (folder / "copies").iterdir() if path.is_dir())
    assert len(list(tree.glob("val/*/*"))) == 200
    listed = site(folder, "list").stdout
    assert "ImageNet sample (200)" in listed
    assert str(tree) in listed
    assert stat.S_IMODE((folder / "numbers-secret").stat().st_mode) == 0o600
    assert site(folder, "remove", "imagenet").returncode == 0
    assert [path.name for path in (folder / "copies").iterdir()] == [".lock"]
    assert list((folder / "prepared").iterdir()) == []


def test_missing_torchbench_is_said_with_what_to_install(settings, tmp_path):
    settings.BASE_PYTHON = str(tmp_path / "python")
    with pytest.raises(Unusable, match="SOTABENCH_BASE_PYTHON"):
        torchbench("data", "describe", tmp_path)


@pytest.mark.usefixtures("copy")
def test_copy_is_not_removed_under_a_running_build(a_build):
    a_build()
    with pytest.raises(Conflict, match="found one running"):
        remove_copy("imagenet")
    assert DataCopy.objects.exists()


@pytest.mark.usefixtures("copy")
def test_benchmark_and_labels_stay_when_their_copy_is_removed(copy):
    remove_copy("ImageNet")
    copy.benchmark.refresh_from_db()
    assert copy.benchmark.labels
    assert not DataCopy.objects.exists()
