import os
import signal
import subprocess

from sotabench.server.datasets.files import kept_file
from sotabench.server.datasets.models import Dataset, Part, Upload

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
    assert adas_sb("dataset", "list", "pytorch/vision")[0]["dataset"] == ".data/vision/set.tar"
    assert adas_sb("dataset", "get", "pytorch/vision", "vision/set.tar")["size"] == SIZE
    assert adas_sb("dataset", "delete", "pytorch/vision", "vision/set.tar") == {"status": "OK"}
    assert not kept.exists()


def test_file_that_is_not_there_is_one_line(sb, adas_environment, vision):
    done = sb("dataset", "upload", "pytorch/vision", "none.tar", env=adas_environment)
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
