import os
import signal
import subprocess

from sotabench.server.datasets.files import kept_file
from sotabench.server.datasets.models import Dataset, Part, Upload
from sotabench.server.repositories.models import Repository

SIZE, PART = 15_500, 1000
PARTS = 16


def test_upload_that_was_killed_goes_on_where_it_was(sb, adas_sb, adas_environment, vision, tmp_path):
    content = os.urandom(SIZE)
    (tmp_path / "set.tar").write_bytes(content)
    arguments = ["dataset", "upload", "pytorch/vision", "set.tar", "vision/set.tar", "--part-size", str(PART)]
    with subprocess.Popen(
        [*sb.command, *arguments], env=adas_environment, cwd=tmp_path, stderr=subprocess.PIPE, text=True
    ) as killed:
        for _ in range(3):
            killed.stderr.readline()
        killed.send_signal(signal.SIGKILL)
    there = Part.objects.filter(state=Part.State.FINISHED).count()
    assert 3 <= there < PARTS
    again = sb(*arguments, env=adas_environment)
    assert again.returncode == 0, again.stderr
    assert 0 < again.stderr.count(" bytes") <= PARTS - there
    assert Upload.objects.get().state == "finished"
    kept = kept_file(vision.pk, Dataset.objects.get().sha256)
    assert kept.read_bytes() == content
    assert adas_sb(*arguments)["state"] == "exists"
    assert adas_sb("dataset", "list", "pytorch/vision")[0]["path"] == ".data/vision/set.tar"
    assert adas_sb("dataset", "get", "pytorch/vision", "vision/set.tar")["size"] == SIZE
    assert adas_sb("dataset", "delete", "pytorch/vision", "vision/set.tar")["size"] == SIZE
    assert not kept.exists()


def test_data_sets_of_a_repository_on_another_host(sb, adas_sb, adas_environment, ada, proven, tmp_path):
    facts = {"host": "git.example.org", "owner_name": "pytorch", "name": "vision", "owner": ada}
    there = Repository.objects.create(**facts, **proven)
    (tmp_path / "set.tar").write_bytes(b"ten bytes!")
    name = "git.example.org/pytorch/vision"
    assert adas_sb("dataset", "upload", name, "set.tar")["state"] == "finished"
    assert [row["path"] for row in adas_sb("dataset", "list", name)] == [".data/set.tar"]
    assert ".data/set.tar" in sb("dataset", "list", name, env=adas_environment).stdout
    assert adas_sb("dataset", "get", name, "set.tar")["size"] == 10
    missing = sb("dataset", "get", name, "other.tar", env=adas_environment)
    assert (missing.returncode, "expected a data set" in missing.stderr) == (1, True)
    assert adas_sb("dataset", "delete", name, "set.tar")["path"] == ".data/set.tar"
    assert adas_sb("dataset", "list", name) == []
    assert not there.datasets.exists()


def test_file_that_is_not_there_is_one_line(sb, adas_environment, vision):
    done = sb("dataset", "upload", "pytorch/vision", "none.tar", env=adas_environment)
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
